from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.documents.check import plain_value
from interlock.documents.problems import Problems
from interlock.documents.yaml import MAX_BYTES, MAX_NODES, MapNode, decode, read_file, read_tree
from interlock.errors import InvalidFile


def tree(text: str) -> object:
    problems = Problems("f")
    node = read_tree(text, problems)
    problems.raise_any()
    assert node is not None
    return plain_value(node)


def complaints(text: str) -> list[str]:
    problems = Problems("f")
    read_tree(text, problems)
    return [str(problem) for problem in problems.found]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("tls: off", {"tls": "off"}, id="off-is-a-text"),
        pytest.param("a: on", {"a": "on"}, id="on-is-a-text"),
        pytest.param("on: yes", {"on": "yes"}, id="on-as-a-key-is-a-text"),
        pytest.param("a: [true, false, null, ~]", {"a": (True, False, None, None)}, id="flags-and-null"),
        pytest.param("a: [1, -2, 0x1f, 0o17, 010]", {"a": (1, -2, 31, 15, 10)}, id="integers-of-1.2"),
        pytest.param("a: [1.5, 1e3, .5]", {"a": (1.5, 1000.0, 0.5)}, id="floats"),
        pytest.param("a: ['1', \"true\"]", {"a": ("1", "true")}, id="quoted-is-a-text"),
        pytest.param("a: [12:30:45, 1_000, 2026-01-01, .inf]", {"a": ("12:30:45", "1_000", "2026-01-01", ".inf")}, id="no-1.1-guesses"),
        pytest.param("<<: {a: 1}", {"<<": {"a": 1}}, id="no-merge-key"),
        pytest.param("a:\nb: ''", {"a": None, "b": ""}, id="empty-is-null"),
        pytest.param("\ufeffa: 1", {"a": 1}, id="byte-order-mark"),
        pytest.param("a: |\n  x\n  y\n", {"a": "x\ny\n"}, id="block-text"),
        pytest.param("---\na: 1\n...\n", {"a": 1}, id="one-explicit-document"),
    ],
)
def test_scalars_follow_the_core_schema(text: str, value: object) -> None:
    assert tree(text) == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a: &x 1\nb: *x", ["f:1:4: anchor &x", "f:2:4: alias *x"], id="anchor-and-alias"),
        pytest.param("a: 1\nb: 2\na: 3\n", ["f:3:1: duplicate key 'a'"], id="duplicate-key"),
        pytest.param("a: !!python/object:os.system x", ["f:1:4: tag 'tag:yaml.org,2002:python/object:os.system'"], id="tag"),
        pytest.param("a: ! x", ["f:1:4: tag '!'"], id="bare-tag"),
        pytest.param("a: 1\n---\nb: 2", ["f:2:1: a second document"], id="two-documents"),
        pytest.param("%YAML 1.1\n---\na: 1", ["f:1:1: a % directive"], id="directive"),
        pytest.param("1: a\ntrue: b", ["f:1:1: key '1' is not a text", "f:2:1: key 'true' is not a text"], id="keys-that-are-no-texts"),
        pytest.param("? [a]\n: b", ["f:1:3: a key that is not a text"], id="key-that-is-a-list"),
        pytest.param("a:\tb", ["f:1:3: a tab"], id="tab"),
        pytest.param("é: b\x00\nc: \x1b", ["f:1:5: control character U+0000", "f:2:4: control character U+001B"], id="control"),
        pytest.param("a: 99999999999999999999", ["f:1:4: integer '99999999999999999999' is out of range"], id="large-integer"),
        pytest.param("", ["f:0:0: is empty"], id="empty"),
        pytest.param("# nothing\n", ["f:0:0: is empty"], id="comment-only"),
    ],
)
def test_what_yaml_offers_beyond_plain_data_is_a_problem_at_its_place(text: str, expected: list[str]) -> None:
    assert complaints(text) == expected


def test_reading_goes_on_after_a_problem_so_that_all_are_reported() -> None:
    found = complaints("a: &x 1\nb: *x\na: 2\nc:\t3\nd: !t 4\n5: e\nf: [")
    assert [line.split(":")[1] for line in sorted(found)] == ["1", "2", "3", "4", "5", "6", "8"]
    assert "is not YAML" in max(found)


def test_broken_syntax_names_its_line() -> None:
    (found,) = complaints("a: 1\nb: [1, 2\nc: 3\n")
    assert found.startswith("f:3:")
    assert "is not YAML" in found


HOSTILE = {
    "deep flow": "[" * 100_000,
    "deep block": "- " * 100_000 + "x",
    "deep map": "".join("  " * depth + "a:\n" for depth in range(400)),
    "many keys": "".join(f"k{number}: 1\n" for number in range(60_000)),
    "many aliases": "a: &a [x]\nb: [" + "*a," * 100_000 + "]",
    "laughs": "a: &a [x,x]\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)},*{chr(97 + i)}]\n" for i in range(20)),
    "duplicates": "a: 1\n" * 100_000,
    "quotes": "'" * 300_001,
    "nul": "\0" * 500_000,
    "tabs": "\t\n" * 250_000,
    "question marks": "? " * 100_000,
    "too large": "a" * (MAX_BYTES + 1),
    "too large in bytes": "é" * (MAX_BYTES // 2 + 1),
    "second documents": "---\n" * 100_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_ends_fast_with_few_problems(name: str) -> None:
    begun = time.process_time()
    problems = Problems("f")
    read_tree(HOSTILE[name], problems)
    with pytest.raises(InvalidFile) as caught:
        problems.raise_any()
    assert time.process_time() - begun < 5
    assert len(caught.value.problems) <= 101


def test_digits_without_end_are_a_text() -> None:
    assert tree("a: " + "9" * 900_000) == {"a": "9" * 900_000}


def test_nodes_are_counted_up_to_their_limit() -> None:
    assert complaints("[" + "1," * (MAX_NODES - 1) + "]") == []
    assert "more than 20000 values" in complaints("[" + "1," * MAX_NODES + "]")[0]


def test_an_enormous_file_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "huge.yaml"
    path.touch()
    os.truncate(path, 1024**3)
    with pytest.raises(InvalidFile, match="is larger than 1048576 bytes"):
        read_file(path)


@pytest.mark.parametrize("name", ["missing", "folder", "fifo"])
def test_a_file_that_can_not_be_read_is_a_problem(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(InvalidFile, match=r"cannot be read: No such file|is not an ordinary file"):
        read_file(tmp_path / name)


def test_bad_utf8_is_a_problem_at_its_place() -> None:
    with pytest.raises(InvalidFile) as caught:
        decode(b"a: \xc3\xa9\nb: \xc3\xa9\xff", file="f")
    assert str(caught.value.problems[0]) == "f:2:5: byte 0xff is not UTF-8"


@given(st.text() | st.text(alphabet="ab:-[]{}&*!|>'\"%@`#? \n\t,0.~"))
def test_no_text_raises_anything_but_problems(text: str) -> None:
    problems = Problems("f")
    node = read_tree(text, problems)
    assert node is not None or problems.found


@given(st.binary())
def test_no_bytes_raise_anything_but_problems(data: bytes) -> None:
    problems = Problems("f")
    with contextlib.suppress(InvalidFile):
        assert read_tree(decode(data, file="f"), problems) is not None or problems.found


def test_keys_and_values_know_their_places() -> None:
    node = read_tree("a: 1\nb:\n  c: x\n", Problems("f"))
    assert isinstance(node, MapNode)
    inner = node.entries["b"]
    assert isinstance(inner, MapNode)
    assert (inner.place("c").line, inner.place("c").column) == (3, 3)
    assert (inner.entries["c"].line, inner.entries["c"].column) == (3, 6)
