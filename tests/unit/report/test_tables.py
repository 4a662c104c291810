from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.report.tables import Column, display_width, folded, pairs, printable, table, wrapped

RUNS = (Column(title="run"), Column(title="outage", right=True), Column(title="detail", wraps=True))


def test_columns_line_up_and_no_line_ends_with_a_blank() -> None:
    rows = [("r1", "240ms", "all well"), ("run-22", "1.2s", "")]
    assert table(RUNS, rows, 80).split("\n") == [
        "run     outage  detail",
        "r1       240ms  all well",
        "run-22    1.2s",
    ]


def test_a_table_too_wide_is_wrapped_in_the_column_that_may() -> None:
    rows = [("r1", "240ms", "west is 41 transactions behind"), ("r2", "2s", "ok")]
    assert table(RUNS, rows, 29).split("\n") == [
        "run  outage  detail",
        "r1    240ms  west is 41",
        "             transactions",
        "             behind",
        "r2       2s  ok",
    ]


def test_a_table_that_can_not_shrink_keeps_its_columns_whole() -> None:
    assert table((Column(title="position"), Column(title="x")), [("0-1-42,7-2-9", "y")], 5).split("\n") == [
        "position      x",
        "0-1-42,7-2-9  y",
    ]


def test_a_table_without_rows_is_its_titles() -> None:
    assert table(RUNS, [], 80) == "run  outage  detail"


def test_wide_characters_take_two_places_and_marks_none() -> None:
    assert [display_width(text) for text in ("abc", "データ", "e\u0301", "é", "🚂")] == [3, 6, 1, 1, 2]
    lines = table((Column(title="name"), Column(title="n", right=True)), [("データ", "1"), ("e\u0301e", "22")], 80).split("\n")
    assert lines == ["name     n", "データ   1", "e\u0301e      22"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("a\nb\tc", "a\\nb\\tc", id="lines"),
        pytest.param("\x1b[31mred\x1b]0;title\x07", "\\x1b[31mred\\x1b]0;title\\x07", id="terminal escapes"),
        pytest.param("\u202etxt.exe", "\\u202etxt.exe", id="reading direction"),
        pytest.param("\udcff", "\\udcff", id="undecodable"),
        pytest.param("`quo'te\" ☃", "`quo'te\" ☃", id="harmless"),
    ],
)
def test_what_would_steer_the_terminal_is_shown_as_text(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert table((Column(title="t"),), [(text,)], 80) == f"t\n{shown}"
    assert pairs([("t", text)], 80) == f"t  {shown}"


def test_pairs_line_up_and_long_values_wrap_under_themselves() -> None:
    assert pairs([("run", "r1"), ("outcome", "rolled back in good order")], 24, indent=2).split("\n") == [
        "  run      r1",
        "  outcome  rolled back",
        "           in good order",
    ]


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        pytest.param("", 10, [""], id="empty"),
        pytest.param("one two", 7, ["one two"], id="fits"),
        pytest.param("one two", 6, ["one", "two"], id="between words"),
        pytest.param("abcdefghij k", 4, ["abcd", "efgh", "ij k"], id="a long word"),
        pytest.param("データ", 4, ["デー", "タ"], id="wide"),
    ],
)
def test_text_is_broken_between_words_first(text: str, width: int, lines: list[str]) -> None:
    assert wrapped(text, width) == lines


@given(text=st.text(), width=st.integers(min_value=2, max_value=30))
def test_wrapping_keeps_every_character_and_the_width(text: str, width: int) -> None:
    lines = wrapped(printable(text), width)
    assert all(display_width(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == printable(text).replace(" ", "").rstrip()


@given(rows=st.lists(st.tuples(st.text(), st.text(max_size=5), st.text()), max_size=4), width=st.integers(min_value=40, max_value=80))
def test_no_table_line_ends_with_a_blank_or_holds_a_control_character(rows: list[tuple[str, str, str]], width: int) -> None:
    for line in table(RUNS, rows, width).split("\n"):
        assert line == line.rstrip(" ")
        assert line.isprintable()


def test_a_text_of_lines_is_folded_behind_the_indent_of_each() -> None:
    said = "east is quiet since its fence\n  route writes leads to west\nends with a rejoin"
    assert folded(said, 22).split("\n") == [
        "east is quiet since",
        "  its fence",
        "  route writes leads",
        "    to west",
        "ends with a rejoin",
    ]
    assert folded(said, 80) == said
    assert folded("  a\x1b[2Jb", 80) == "  a\\x1b[2Jb"
