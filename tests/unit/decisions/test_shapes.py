from __future__ import annotations

import pytest

from interlock.decisions.shapes import Shape, common_tables, shape_differences
from interlock.model.differences import DifferenceKind

TABLE = ("app", "t", "table")
COLUMN = ("app", "t", "column a")
VIEW = ("app", "", "view v")


@pytest.mark.parametrize(
    ("writer", "other", "expected"),
    [
        ({TABLE: "InnoDB", COLUMN: "int"}, {TABLE: "InnoDB", COLUMN: "int"}, []),
        ({TABLE: "InnoDB", COLUMN: "int"}, {TABLE: "InnoDB", COLUMN: "bigint"}, [("schema", "column a", "west", "int", "bigint")]),
        ({TABLE: "InnoDB", COLUMN: "int"}, {TABLE: "InnoDB"}, [("schema", "column a", "west", "int", "")]),
        ({TABLE: "InnoDB"}, {TABLE: "InnoDB", COLUMN: "int"}, [("schema", "column a", "east", "", "int")]),
        ({TABLE: "InnoDB", COLUMN: "int"}, {}, [("extra_table", "table", "west", "InnoDB", "")]),
        ({}, {TABLE: "InnoDB", COLUMN: "int"}, [("extra_table", "table", "east", "", "InnoDB")]),
        ({TABLE: "InnoDB"}, {TABLE: "MyISAM"}, [("schema", "table", "west", "InnoDB", "MyISAM")]),
        ({VIEW: "SELECT 1"}, {}, [("schema", "view v", "west", "SELECT 1", "")]),
    ],
    ids=["alike", "otherwise", "lacks", "has more", "lacks the table", "has a table more", "engine", "view"],
)
def test_what_differs_is_named_with_the_side_that_lacks_it_or_is_not_the_writer(
    writer: Shape, other: Shape, expected: list[tuple[str, ...]]
) -> None:
    found = shape_differences(writer, other, clusters=("east", "west"))
    assert [(one.kind.value, one.what, one.cluster, one.writer, one.other) for one in found] == expected
    assert all(isinstance(one.kind, DifferenceKind) for one in found)


def test_only_tables_of_both_sides_are_compared() -> None:
    assert common_tables({TABLE: "", ("app", "u", "table"): "", COLUMN: ""}, {TABLE: "", VIEW: ""}) == (("app", "t"),)
