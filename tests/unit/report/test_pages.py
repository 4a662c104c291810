"""Every page that Interlock writes: one file, readable on a telephone and at night, that shows what a row says and never obeys it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from interlock.audit.catalogue import chapters
from interlock.audit.judge import judge
from interlock.model.runbook import Order, Part, Runbook, Table
from interlock.report import audit_page, diff_page, losses_page, pages, runbook_page
from unit.audit.small_pair import pair
from unit.losses.test_kept import report as lost
from unit.report.test_diff import DIFFERENT

HOSTILE = "<script>alert(1)</script>`x`\x1b[2J|"
BOOK = Runbook(
    title=HOSTILE,
    made_at=datetime(2026, 3, 1, tzinfo=UTC),
    parts=(
        Part(
            title="With Interlock",
            says=(HOSTILE,),
            table=Table(titles=("cluster",), rows=((HOSTILE,),)),
            orders=(Order(does="See `interlock status`.", lines=("a", HOSTILE)),),
        ),
    ),
)
PAGES = {
    "audit": audit_page.html_page(judge(pair(), chapters())),
    "diff": diff_page.html_page(DIFFERENT),
    "losses": losses_page.html_page(lost(HOSTILE)),
    "runbook": runbook_page.html_page(BOOK),
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES.keys())
def test_a_page_needs_no_other_fits_a_telephone_and_has_a_dark_side(page: str) -> None:
    assert "http" not in page
    assert "src=" not in page
    assert 'name="viewport"' in page
    assert "prefers-color-scheme:dark" in page
    assert ("<script" in page, "\x1b" in page) == (False, False)


def test_a_cell_says_its_title_itself_where_there_is_no_room_for_columns() -> None:
    table = pages.html_table(("key", "what now"), [("id=1", HOSTILE)], ["conflicting"])
    assert '<tr class="conflicting"><td class="v" data-title="key">id=1</td><td class="v" data-title="what now">&lt;script&gt;' in table


def test_what_is_to_be_typed_stands_out_and_what_a_row_says_stays_text() -> None:
    assert pages.sentence("see `interlock runs` <now>") == "see <code>interlock runs</code> &lt;now&gt;"
    assert "<code>interlock status</code>" in PAGES["runbook"]
    assert "<pre>a\n&lt;script&gt;" in PAGES["runbook"], "lines stay lines"


def test_a_row_of_a_markdown_table_has_as_many_cells_as_titles_whatever_it_says() -> None:
    head, rule, row = pages.markdown_table(("a", "b"), [("1", "x | y\n# z")])
    assert (head, rule) == ("| a | b |", "|---|---|")
    assert row == "| 1 | x \\| y\\\\n\\# z |"
