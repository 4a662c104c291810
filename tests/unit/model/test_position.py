"""The algebra of positions: containment is a partial order, and `behind` is its measure."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.model.position import FilePosition, Gtid, GtidSource, MariaDBPosition, MySQLPosition, Position, parse_position


class OtherKind(Position):
    is_origin = False

    def behind(self, other: Position, /) -> int:
        return 0 if other is self else 1


numbers = st.integers(min_value=0, max_value=6)
gtids = st.builds(Gtid, numbers, numbers, st.integers(min_value=1, max_value=8))
positions = st.lists(gtids, max_size=5).map(lambda found: MariaDBPosition.parse(",".join(map(str, found))))


def merged(first: MariaDBPosition, second: MariaDBPosition) -> MariaDBPosition:
    return MariaDBPosition.parse(",".join(filter(None, (str(first), str(second)))))


@given(positions)
def test_a_position_contains_itself(a: MariaDBPosition) -> None:
    assert a.contains(a)


@given(positions, positions)
def test_two_that_contain_each_other_end_at_the_same_numbers(a: MariaDBPosition, b: MariaDBPosition) -> None:
    if a.contains(b) and b.contains(a):
        assert [(g.domain, g.sequence) for g in a.gtids] == [(g.domain, g.sequence) for g in b.gtids]


@given(positions, positions, positions)
def test_containment_goes_on(a: MariaDBPosition, b: MariaDBPosition, c: MariaDBPosition) -> None:
    if a.contains(b) and b.contains(c):
        assert a.contains(c)


@given(positions, positions)
def test_nothing_is_behind_exactly_if_all_is_contained(a: MariaDBPosition, b: MariaDBPosition) -> None:
    assert a.contains(b) == (a.behind(b) == 0)
    assert a.behind(b) >= 0


@given(positions, positions)
def test_one_that_merges_two_contains_both(a: MariaDBPosition, b: MariaDBPosition) -> None:
    assert merged(a, b).contains(a)
    assert merged(a, b).contains(b)


@given(positions)
def test_the_text_of_a_position_reads_back_as_the_same(a: MariaDBPosition) -> None:
    assert MariaDBPosition.parse(str(a)) == a
    assert parse_position(str(a)) == a


@given(positions, numbers)
def test_the_part_of_a_domain_is_contained_and_holds_nothing_else(a: MariaDBPosition, domain: int) -> None:
    part = a.only(domain)
    assert a.contains(part)
    assert {gtid.domain for gtid in part.gtids} <= {domain}
    assert part.of_domain(domain) == a.of_domain(domain)


@given(st.lists(gtids, max_size=6), st.randoms())
def test_the_order_of_the_text_does_not_matter(found: list[Gtid], random: object) -> None:
    last = {gtid.domain: max(g.sequence for g in found if g.domain == gtid.domain) for gtid in found}
    parsed = MariaDBPosition.parse(",".join(map(str, reversed(found))))
    del random
    assert {gtid.domain: gtid.sequence for gtid in parsed.gtids} == last
    assert [gtid.domain for gtid in parsed.gtids] == sorted(last)


CONTAINED = {
    "the same": ("0-1-5", "0-1-5", True, 0),
    "further": ("0-1-7", "0-1-5", True, 0),
    "behind by two": ("0-1-5", "0-1-7", False, 2),
    "a domain that it never saw": ("0-1-5", "0-1-5,7-2-3", False, 3),
    "another server wrote last in the domain": ("0-2-5", "0-1-5", True, 0),
    "nothing holds nothing": ("", "", True, 0),
    "nothing is held by all": ("0-1-5", "", True, 0),
    "two domains, one behind": ("0-1-9,1-2-4", "0-1-5,1-2-6", False, 2),
}


@pytest.mark.parametrize(("ours", "theirs", "contains", "behind"), CONTAINED.values(), ids=CONTAINED.keys())
def test_containment(ours: str, theirs: str, contains: bool, behind: int) -> None:  # noqa: FBT001 - a table's column
    a, b = MariaDBPosition.parse(ours), MariaDBPosition.parse(theirs)
    assert (a.contains(b), a.behind(b)) == (contains, behind)


def test_a_position_of_another_kind_is_never_contained() -> None:
    assert not MariaDBPosition.parse("0-1-5").contains(OtherKind())
    assert MariaDBPosition.parse("0-1-5").behind(OtherKind()) == 0


NO_POSITIONS = {
    "a word": ("x", "not a MariaDB GTID: 'x'"),
    "two numbers": ("0-1", "not a MariaDB GTID"),
    "four numbers": ("0-1-2-3", "not a MariaDB GTID"),
    "a number left out": ("0-1--2", "not a MariaDB GTID"),
    "a semicolon": ("0-1-5;1-1-1", "not a MariaDB GTID"),
    "a space": ("0-1-5 1-1-1", "not a MariaDB GTID"),
    "a file without its server": ("bin.000001:4", "not a MySQL GTID set: 'bin.000001:4'"),
    "a UUID alone": (f"{'a' * 8}-aaaa-aaaa-aaaa-{'a' * 12}:", "not a MySQL GTID set"),
    "an interval that ends before it begins": (f"{'a' * 8}-aaaa-aaaa-aaaa-{'a' * 12}:5-3", "the interval '5-3'"),
    "the number zero": (f"{'a' * 8}-aaaa-aaaa-aaaa-{'a' * 12}:0-3", "the interval '0-3'"),
    "a tag that begins with a number": (f"{'a' * 8}-aaaa-aaaa-aaaa-{'a' * 12}:7up:1", "'7up'"),
    "a file without a number": ("east=bin:4", "not a binary log position: 'east=bin:4'"),
    "a server twice": ("east=b.000001:4,east=b.000001:9", "not a binary log position: 'east=b.000001:9'"),
}


@pytest.mark.parametrize(("text", "words"), NO_POSITIONS.values(), ids=NO_POSITIONS.keys())
def test_what_is_no_position_is_refused_with_its_words(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        parse_position(text)


A, B = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa", "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb"

SETS = {
    "the same": (f"{A}:1-5", f"{A}:1-5", True, 0),
    "letters of either case": (f"{A}:1-5", f"{A.upper()}:1-5", True, 0),
    "a hole": (f"{A}:1-3:5-9", f"{A}:1-9", False, 1),
    "a hole that the other has too": (f"{A}:1-3:5-9", f"{A}:1-2:7", True, 0),
    "another source": (f"{A}:1-9", f"{A}:1-9,{B}:1-2", False, 2),
    "a tag is another source": (f"{A}:1-9", f"{A}:app:1-3", False, 3),
    "tags within one UUID": (f"{A}:1-9:app:1-3:batch:4", f"{A}:app:2", True, 0),
    "nothing holds nothing": ("", "", True, 0),
    "nothing holds something not": ("", f"{A}:1", False, 1),
}


@pytest.mark.parametrize(("ours", "theirs", "contains", "behind"), SETS.values(), ids=SETS.keys())
def test_containment_of_sets(ours: str, theirs: str, contains: bool, behind: int) -> None:  # noqa: FBT001 - a table's column
    a, b = MySQLPosition.parse(ours), MySQLPosition.parse(theirs)
    assert (a.contains(b), a.behind(b)) == (contains, behind)


TEXTS = {
    "touching intervals are one": (f"{A}:1-3:4-5:7", f"{A}:1-5:7"),
    "order and line breaks": (f"{B}:2,\n{A}:7:1-5", f"{A}:1-5:7,{B}:2"),
    "a tag after numbers": (f"{A}:1-5:App:1", f"{A}:1-5,{A}:app:1"),
    "files": ("west=w.000002:9, east=e-bin.000012:4711", "east=e-bin.000012:4711,west=w.000002:9"),
    "seven digits": ("east=bin.1000000:4", "east=bin.1000000:4"),
}


@pytest.mark.parametrize(("text", "normal"), TEXTS.values(), ids=TEXTS.keys())
def test_a_position_has_one_text(text: str, normal: str) -> None:
    assert str(parse_position(text)) == normal


sources = st.sampled_from((A, B, f"{A}:app"))
pieces = st.tuples(sources, st.integers(1, 12), st.integers(0, 4)).map(lambda one: f"{one[0]}:{one[1]}-{one[1] + one[2]}")
sets = st.lists(pieces, max_size=6).map(lambda found: MySQLPosition.parse(",".join(found)))


def members(position: MySQLPosition) -> set[tuple[GtidSource, int]]:
    return {(source, number) for source, intervals in position.sets for first, last in intervals for number in range(first, last + 1)}


@given(sets, sets)
def test_sets_of_gtids_are_sets(a: MySQLPosition, b: MySQLPosition) -> None:
    assert members(a.minus(b)) == members(a) - members(b)
    assert a.contains(b) == (members(a) >= members(b))
    assert a.behind(b) == len(members(b) - members(a))
    assert parse_position(str(a)) == (a if str(a) else MariaDBPosition())


def test_what_a_server_wrote_itself_is_what_has_its_uuid() -> None:
    assert str(MySQLPosition.parse(f"{A}:1-5:app:2,{B}:1").written_by(A.upper())) == f"{A}:1-5,{A}:app:2"


FILES = {
    "the same": ("east=b.000002:9", "east=b.000002:9", True, 0),
    "a later file": ("east=b.000010:4", "east=b.000009:900", True, 0),
    "the millionth file": ("east=b.1000000:4", "east=b.999999:900", True, 0),
    "behind in one log of two": ("east=b.000002:9,west=c.000001:4", "east=b.000002:9,west=c.000001:5", False, 1),
    "a log that it does not know": ("east=b.000002:9", "west=c.000001:5", False, 1),
    "a log of another name": ("east=b.000002:9", "east=other.000001:5", False, 1),
}


@pytest.mark.parametrize(("ours", "theirs", "contains", "behind"), FILES.values(), ids=FILES.keys())
def test_containment_of_files(ours: str, theirs: str, contains: bool, behind: int) -> None:  # noqa: FBT001 - a table's column
    a, b = FilePosition.parse(ours), FilePosition.parse(theirs)
    assert (a.contains(b), a.behind(b)) == (contains, behind)


KINDS = (MariaDBPosition.parse("0-1-5"), MySQLPosition.parse(f"{A}:1-5"), FilePosition.parse("east=b.000001:4"))


@pytest.mark.parametrize("ours", KINDS, ids=str)
@pytest.mark.parametrize("theirs", KINDS, ids=str)
def test_kinds_are_not_compared(ours: Position, theirs: Position) -> None:
    assert ours.contains(theirs) == (ours is theirs)
    assert ours.contains(MariaDBPosition())
    assert ours.contains(MySQLPosition())
    assert ours.contains(FilePosition())
