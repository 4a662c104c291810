"""Our `@dataclass` does what the library's does, but for the text of some errors."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import re
from collections.abc import Callable
from dataclasses import field, replace
from pathlib import Path
from typing import Any

import pytest

import interlock
from interlock.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    name: str
    secret: str = field(default="", repr=False)
    ids: list[int] = field(default_factory=list)
    told: int = field(default=0, compare=False)
    kind: str = field(default="fixed", init=False)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Theirs:
    name: str
    secret: str = field(default="", repr=False)
    ids: list[int] = field(default_factory=list)
    told: int = field(default=0, compare=False)
    kind: str = field(default="fixed", init=False)


@dataclass(frozen=True, slots=True)
class Pair:
    one: int
    two: int = 2


@dataclass(slots=True)
class Count:
    number: int = 0


@dataclass(frozen=True, slots=True)
class Nothing:
    pass


_SAME: dict[str, Callable[[Any], object]] = {
    "is shown without what is not to be shown": lambda kind: repr(kind(name="a", secret="x")).partition("(")[2],
    "differs by a field": lambda kind: kind(name="a") == kind(name="b"),
    "does not differ by what is not compared": lambda kind: kind(name="a", told=1) == kind(name="a"),
    "differs from another kind": lambda kind: kind(name="a") == Pair(1),
    "can't be hashed with a list in it": lambda kind: hash(kind(name="a")),
    "is hashed by what is compared": lambda kind: hash(kind(name="a", ids=(1,), told=5)) == hash(kind(name="a", ids=(1,))),
    "has a list of its own": lambda kind: kind(name="a").ids is kind(name="a").ids,
    "can be replaced": lambda kind: replace(kind(name="a", told=3), name="b").told,
    "can be copied": lambda kind: copy.deepcopy(kind(name="a", ids=[1])).ids,
    "has its fields": lambda kind: [(each.name, each.init, each.kw_only) for each in dataclasses.fields(kind)],
    "can't be assigned to": lambda kind: setattr(kind(name="a"), "name", "b"),
    "can't be deleted from": lambda kind: delattr(kind(name="a"), "name"),
    "has no other attribute": lambda kind: object.__setattr__(kind(name="a"), "other", 1),
    "must have what has no default": lambda kind: kind(told=1),
    "takes nothing else": lambda kind: kind(name="a", other=1),
    "takes nothing that is not to be given": lambda kind: kind(name="a", kind="other"),
    "takes nothing by its place": lambda kind: kind("a"),
}


@pytest.mark.parametrize("does", _SAME.values(), ids=_SAME)
def test_it_does_what_the_librarys_does(does: Callable[[Any], object]) -> None:
    outcomes = []
    for kind in (Ours, Theirs):
        try:
            outcomes.append(does(kind))
        except (AttributeError, TypeError) as error:
            outcomes.append(type(error))
    assert outcomes[0] == outcomes[1]


def test_by_their_places_each_once() -> None:
    assert (Pair(1), Pair(1, 3), Pair(1, two=3)) == (Pair(one=1, two=2), Pair(one=1, two=3), Pair(one=1, two=3))
    for words, named in (((1, 2, 3), {}), ((1,), {"one": 2})):
        with pytest.raises(TypeError, match="Pair takes"):
            Pair(*words, **named)
    match Pair(1, 2):
        case Pair(one, two):
            assert (one, two) == (1, 2)


def test_one_that_is_not_frozen_changes_and_has_no_hash() -> None:
    count = Count()
    count.number += 1
    assert count == Count(1)
    with pytest.raises(TypeError, match="unhashable"):
        hash(count)


def test_of_no_fields_all_are_equal() -> None:
    assert (Nothing(), hash(Nothing())) == (Nothing(), hash(Nothing()))
    assert pickle.loads(pickle.dumps(Pair(1, 3))) == Pair(1, 3)  # noqa: S301 - our own


def test_what_is_written_in_the_class_stays() -> None:
    @dataclass(frozen=True, slots=True)
    class Shouting:
        word: str

        def __repr__(self) -> str:
            return self.word.upper()

    assert repr(Shouting("ho")) == "HO"


@pytest.mark.parametrize("decorator", [dataclass, dataclasses.dataclass], ids=["ours", "the library's"])
def test_one_that_inherits_has_all_the_fields(decorator: Callable[..., Callable[[type], type]]) -> None:
    class More(Ours):
        more: int

    made: Any = decorator(frozen=True, slots=True, kw_only=True)(More)
    assert repr(made(name="a", more=1)).endswith("ids=[], told=0, kind='fixed', more=1)")
    with pytest.raises(dataclasses.FrozenInstanceError):
        made(name="a", more=1).name = "b"


def test_what_is_to_follow_the_making_follows_it() -> None:
    @dataclass(slots=True)
    class Doubled:
        number: int

        def __post_init__(self) -> None:
            self.number *= 2

    assert Doubled(2).number == 4


def test_every_dataclass_of_the_package_is_made_by_it() -> None:
    taken = re.compile(r"^from dataclasses import (.*, )?dataclass(,|$)", re.MULTILINE)
    files = [file for folder in interlock.__path__ for file in Path(folder).rglob("*.py")]
    assert [str(file) for file in files if taken.search(file.read_text())] == []
