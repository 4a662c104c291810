"""Which clauses of an ALTER TABLE fit while one side alone has them, why the others do not, and what leads back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from interlock.decisions.alter_words import HowClause, NewColumn, NewKey, OldKey, read_clauses
from interlock.decisions.alterations import Stage, can_be_applied, inverse, is_read_alike, is_the_only_difference, read_changes, stage_of
from interlock.decisions.declarations import are_alike, lines_of, only_in, told_apart
from interlock.model.tables import TableFacts
from interlock.model.topology import ServerName
from interlock.model.verdict import Done, Refuse

TABLE = """\
CREATE TABLE `t` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `Day` date NOT NULL,
  `mail` varchar(64) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `by_mail` (`mail`),
  KEY `by_day` (`Day`,`mail`(10))
) ENGINE=InnoDB AUTO_INCREMENT=17 DEFAULT CHARSET=utf8mb4"""


def after(*, without: str = "", columns: str = "", keys: str = "") -> str:
    text = "\n".join(line for line in TABLE.splitlines() if not (without and without in line))
    text = text.replace("  PRIMARY KEY", f"{columns}  PRIMARY KEY")
    return text.replace("\n) ENGINE", f"{',' if keys else ''}\n{keys.rstrip()}\n) ENGINE") if keys else text


FITS = {
    "a column that may be NULL": ("ADD COLUMN note TEXT", (NewColumn(name="note"),)),
    "without the word COLUMN": ("ADD note TEXT NULL", (NewColumn(name="note"),)),
    "a name in backticks": ("add column `my note` varchar(20) null", (NewColumn(name="my note"),)),
    "a name that is half a clause": ("ADD COLUMN period INT", (NewColumn(name="period"),)),
    "a name that only backticks make one": ("ADD COLUMN `unique` DATE", (NewColumn(name="unique"),)),
    "a name that is a type": ("ADD COLUMN date DATE", (NewColumn(name="date"),)),
    "a number as its default": ("ADD COLUMN n DECIMAL(10,2) UNSIGNED NOT NULL DEFAULT 1.50", (NewColumn(name="n"),)),
    "a negative one": ("ADD COLUMN n INT NOT NULL DEFAULT -1", (NewColumn(name="n"),)),
    "a text as its default, with a comma, a quote and a parenthesis": (
        "ADD COLUMN note VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT 'a, (it''s' COMMENT 'x'",
        (NewColumn(name="note"),),
    ),
    "one of a list": ("ADD COLUMN kind ENUM('a', 'b)') NOT NULL DEFAULT 'a'", (NewColumn(name="kind"),)),
    "a long text whose default is NULL": ("ADD COLUMN note TEXT NULL DEFAULT NULL", (NewColumn(name="note"),)),
    "a time that is NULL": ("ADD COLUMN at TIMESTAMP NULL", (NewColumn(name="at"),)),
    "a time with a literal default": (
        "ADD COLUMN at TIMESTAMP NOT NULL DEFAULT '2000-01-01 00:00:00'",
        (NewColumn(name="at", zoned=True),),
    ),
    "an index": ("ADD INDEX by_day_too (Day, mail(10) DESC) COMMENT 'x'", (NewKey(name="by_day_too", columns=("day", "mail")),)),
    "an index of a named kind": ("ADD KEY k USING BTREE (`Day`)", (NewKey(name="k", columns=("day",)),)),
    "an index that goes": ("DROP INDEX by_day", (OldKey(name="by_day"),)),
    "several, and how": (
        "ADD COLUMN a INT, ADD INDEX i (a), DROP KEY by_day, ALGORITHM=INPLACE, LOCK=NONE",
        (NewColumn(name="a"), NewKey(name="i", columns=("a",)), OldKey(name="by_day")),
    ),
}


@pytest.mark.parametrize(("alter", "changes"), FITS.values(), ids=FITS)
def test_what_replicates_between_the_old_and_the_new_declaration_fits(alter: str, changes: tuple[object, ...]) -> None:
    assert read_changes(alter) == changes


def test_how_a_server_does_it_is_understood_and_changes_nothing() -> None:
    assert read_clauses("LOCK=NONE") == (HowClause(said="LOCK = NONE"),)
    assert isinstance(read_changes("LOCK=NONE"), Refuse)


REFUSED = {
    "a column twice": ("ADD COLUMN note TEXT, ADD Note INT", "two clauses for column note"),
    "an index that is made another one": ("DROP INDEX by_day, ADD INDEX by_day (mail)", "two clauses for key by_day"),
    "no default": ("ADD COLUMN n INT NOT NULL", "come without n, and it has no default"),
    "a first time without a word": ("ADD COLUMN at TIMESTAMP", "come without at"),
    "a default that each side makes": ("ADD COLUMN at DATETIME DEFAULT CURRENT_TIMESTAMP", "values of their own"),
    "a default that is a call": ("ADD COLUMN u CHAR(36) DEFAULT (UUID())", "values of their own"),
    "a long text's default": ("ADD COLUMN note TEXT NOT NULL DEFAULT 'x'", "come without note, and would get an empty one"),
    "a document's default": ("ADD COLUMN doc JSON DEFAULT '{}'", "come without doc, and would get an empty one"),
    "not at the end": ("ADD COLUMN n INT FIRST", "must stand before all others"),
    "in the middle": ("ADD COLUMN n INT AFTER id", "must stand before all others"),
    "unique by itself": ("ADD COLUMN n INT UNIQUE", "turned away"),
    "counted": ("ADD COLUMN n INT AUTO_INCREMENT", "AUTO_INCREMENT is not understood"),
    "made of others": ("ADD COLUMN n INT AS (id)", "not understood"),
    "kept up by the server": ("ADD COLUMN at DATETIME NULL ON UPDATE NOW()", "not understood"),
    "a type that is not known": ("ADD COLUMN g GEOMETRY", "not known to be right"),
    "in parentheses": ("ADD (a INT, b INT)", "its own ADD COLUMN"),
    "if it is not there": ("ADD COLUMN IF NOT EXISTS n INT", "depend on the side"),
    "a column that goes": ("DROP COLUMN mail", "can't be had back"),
    "the word left out": ("DROP mail", "can't be had back"),
    "another type": ("MODIFY mail VARCHAR(128)", "of two types"),
    "another name": ("CHANGE mail email VARCHAR(64)", "of two types"),
    "another default": ("ALTER COLUMN mail SET DEFAULT 'x'", "of two types"),
    "another charset": ("CONVERT TO CHARACTER SET utf8mb4", "of two types"),
    "a unique index": ("ADD UNIQUE INDEX u (mail)", "turned away"),
    "a primary key": ("DROP PRIMARY KEY, ADD PRIMARY KEY (mail)", "turned away"),
    "a foreign key": ("ADD CONSTRAINT f FOREIGN KEY (id) REFERENCES o (id)", "turned away"),
    "an index without a name": ("ADD INDEX (mail)", "wants a name"),
    "an index without columns": ("ADD INDEX i", "wanted in parentheses"),
    "an index on an expression": ("ADD INDEX i ((lower(mail)))", "hidden column"),
    "a full-text index": ("ADD FULLTEXT INDEX i (mail)", "hidden column"),
    "an index that nobody uses": ("ADD INDEX i (mail) INVISIBLE", "INVISIBLE is not understood"),
    "the table's name": ("RENAME TO other", "by the table's name"),
    "a partition": ("DROP PARTITION p1", "can't be undone"),
    "an engine": ("ENGINE=MyISAM", "not known to be right"),
    "a second statement": ("ADD COLUMN n INT; DROP TABLE t", "not understood from here on: ; DROP TABLE t"),
    "a comment": ("ADD COLUMN n INT /*!80000 NOT NULL */", "not understood from here on"),
    "another comment": ("ADD COLUMN n INT -- x", "not understood from here on"),
    "a text that the sql_mode reads otherwise": ('ADD COLUMN n TEXT DEFAULT "x"', "not understood from here on"),
    "a backslash": (r"ADD COLUMN n VARCHAR(9) DEFAULT 'a\'", "not understood from here on"),
    "an empty clause": ("ADD COLUMN n INT,", "an empty clause"),
    "a unique index of a name that is a type": ("ADD UNIQUE date (mail)", "turned away"),
    "a full-text index of such a name": ("ADD FULLTEXT text (mail)", "hidden column"),
    "a rule of such a name": ("ADD CHECK json (1)", "turned away"),
    "a partition of such a name": ("ADD PARTITION date (3)", "can't be undone"),
    "an index if it is not there": ("ADD INDEX IF NOT EXISTS i (mail)", "depend on the side"),
    "a space that is a letter to a server": ("ADD COLUMN\u00a0n INT", "not understood from here on: \u00a0n"),
    "a word with a letter that is none to a server": ("ADD COLUMN n INT, ALGOR\u0131THM=INPLACE", "not understood from here on: \u0131THM"),
    "a name of two lines": ("ADD COLUMN `a\nb` INT", "not understood from here on: `a"),
    "nothing": ("", "an empty clause"),
    "the whole statement": ("alter  table app.ledger ADD COLUMN n INT", "without ALTER TABLE and the table's name: alter  table app"),
    "an open parenthesis": ("ADD COLUMN n INT(", "a parenthesis too many"),
    "a parenthesis that nobody opened": ("ADD COLUMN n INT), DROP COLUMN (id", "a parenthesis too many"),
    "too long": ("ADD COLUMN n INT" + " " * 4000, "characters"),
}


@pytest.mark.parametrize(("alter", "why"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_or_is_not_understood_is_refused_with_the_reason_and_what_can(alter: str, why: str) -> None:
    refused = read_changes(alter)
    assert isinstance(refused, Refuse)
    assert why in refused.why
    assert "ADD COLUMN name" in refused.hint or "split" in refused.hint


def changes_of(alter: str) -> tuple[NewColumn | NewKey | OldKey, ...]:
    changes = read_changes(alter)
    assert not isinstance(changes, Refuse)
    return changes


FOLLOWS = after(keys="  KEY `p` (`p`),\n  CONSTRAINT `f (x)` FOREIGN KEY (`p`) REFERENCES `other` (`id`)")
ON_THIS_TABLE = {
    "all fits": ("ADD COLUMN note TEXT, DROP INDEX by_day", TABLE, "bears it on one side alone: new column note, index by_day goes"),
    "a column that is there, in other letters": ("ADD COLUMN DAY DATE", TABLE, "has DAY already"),
    "an index that is there": ("ADD INDEX BY_DAY (id)", TABLE, "has BY_DAY already"),
    "an index that is not there": ("DROP INDEX other", TABLE, "no index other"),
    "an index that is unique": ("DROP INDEX by_mail", TABLE, "by_mail of app.t is unique"),
    "no primary key": ("ADD COLUMN note TEXT", TABLE.replace("  PRIMARY KEY (`id`),\n", ""), "no primary key"),
    "a hidden column that stands last": (
        "ADD COLUMN n BIGINT",
        TABLE.replace("(`mail`),", "(`mail`) USING HASH,"),
        "last for the unique index by_mail of app.t: rows of a side without n would bring that for n",
    ),
    "hidden columns of versions": ("ADD COLUMN n BIGINT", f"{TABLE} WITH SYSTEM VERSIONING", "its versions stand last, hidden"),
    "an index beside a hidden column": ("ADD INDEX i (Day)", f"{TABLE} WITH SYSTEM VERSIONING", "bears it on one side alone: new index i"),
    "an index for that of a foreign key": (
        "ADD INDEX i (P)",
        FOLLOWS,
        "p of app.t serves a foreign key: where the server made it, it goes",
    ),
    "one that begins with its columns": ("ADD INDEX i (p, Day)", FOLLOWS, "p of app.t serves a foreign key"),
    "one that has them elsewhere": ("ADD INDEX i (Day, p)", FOLLOWS, "bears it on one side alone: new index i"),
    "one instead of it": ("ADD INDEX i (p), DROP INDEX p", FOLLOWS, "bears it on one side alone: new index i, index p goes"),
    "one for a foreign key that goes by two": (
        "ADD INDEX i (p, q)",
        FOLLOWS.replace("KEY `p` (`p`)", "KEY `p` (`p`,`q`)").replace("(`p`) REF", "(`p`, `q`) REF"),
        "p of app.t serves a foreign key",
    ),
    "a primary key by its name": ("DROP INDEX `PRIMARY`", TABLE, "no index PRIMARY"),
}


@pytest.mark.parametrize(("alter", "definition", "why"), ON_THIS_TABLE.values(), ids=ON_THIS_TABLE)
def test_what_this_table_bears(alter: str, definition: str, why: str) -> None:
    verdict = can_be_applied("app.t", changes_of(alter), definition)
    assert why in verdict.why
    assert isinstance(verdict, Done) is why.startswith("bears")


ZONES = {
    "one zone": ("ADD COLUMN at TIMESTAMP NOT NULL DEFAULT '2000-01-01 00:00:00'", "UTC", ""),
    "two zones": (
        "ADD COLUMN at TIMESTAMP NOT NULL DEFAULT '2000-01-01 00:00:00'",
        "CET",
        "the DEFAULT of at is another moment on each side",
    ),
    "two zones, and a date that goes by none": ("ADD COLUMN at DATETIME NOT NULL DEFAULT '2000-01-01 00:00:00'", "CET", ""),
    "two zones, and no moment": ("ADD COLUMN at TIMESTAMP NULL DEFAULT NULL", "CET", ""),
}


@pytest.mark.parametrize(("alter", "zone", "why"), ZONES.values(), ids=ZONES)
def test_a_default_that_goes_by_a_time_zone_wants_one_zone_on_both_sides(alter: str, zone: str, why: str) -> None:
    facts = TableFacts(server=ServerName("east"), table="app.t", definition=TABLE, time_zone="UTC")
    refused = is_read_alike(changes_of(alter), facts, replace(facts, server=ServerName("west"), time_zone=zone))
    assert (why in refused.why) if refused else not why


@pytest.mark.parametrize(
    ("mode", "why"), [("STRICT_TRANS_TABLES", ""), ("", "the sql_mode of east is STRICT_TRANS_TABLES, that of west is empty")]
)
def test_an_alter_is_read_by_one_sql_mode_on_both_sides(mode: str, why: str) -> None:
    """Else the other side may refuse it once the writes have moved: a default of no day, a key that is too long."""
    facts = TableFacts(server=ServerName("east"), table="app.t", definition=TABLE, sql_mode="STRICT_TRANS_TABLES")
    refused = is_read_alike(changes_of("ADD INDEX i (mail)"), facts, replace(facts, server=ServerName("west"), sql_mode=mode))
    assert (why in refused.why) if refused else not why


COLUMN, KEY = "  `note` text,\n", "  KEY `i` (`note`(10))"
WAYS_BACK = {
    "a column": ("ADD COLUMN note TEXT", after(columns=COLUMN), "DROP COLUMN `note`"),
    "an index": ("ADD INDEX i (note(10))", after(keys=KEY), "DROP INDEX `i`"),
    "an index that went, word for word": ("DROP INDEX by_day", after(without="by_day"), "ADD KEY `by_day` (`Day`,`mail`(10))"),
    "the last one first": (
        "ADD COLUMN note TEXT, ADD INDEX i (note(10)), ALGORITHM=INPLACE",
        after(columns=COLUMN, keys=KEY),
        "DROP INDEX `i`, DROP COLUMN `note`",
    ),
}


@pytest.mark.parametrize(("alter", "now", "back"), WAYS_BACK.values(), ids=WAYS_BACK)
def test_the_way_back_is_the_inverse_of_what_is_there_and_was_not(alter: str, now: str, back: str) -> None:
    changes = changes_of(alter)
    assert inverse(changes, TABLE, now) == back
    assert inverse(changes, TABLE, None) == back, "as a plan supposes it"
    assert inverse(changes, TABLE, TABLE) == ""
    assert inverse(changes, now, now) == "", "what was there before is left"
    assert (stage_of(changes, TABLE), stage_of(changes, now)) == (Stage.BEFORE, Stage.AFTER)


def test_of_a_change_that_is_there_in_part_that_part_alone_is_taken_back() -> None:
    changes = changes_of("ADD COLUMN note TEXT, ADD INDEX i (note(10))")
    assert stage_of(changes, after(columns=COLUMN)) is Stage.BETWEEN
    assert inverse(changes, TABLE, after(columns=COLUMN)) == "DROP COLUMN `note`"


OTHER = "  `other` text,\n"
BESIDES = {
    "nothing": (TABLE, after(columns=COLUMN), True),
    "a column behind it": (after(columns=OTHER), after(columns=COLUMN + OTHER), False),
    "a column before it": (after(columns=OTHER), after(columns=OTHER + COLUMN), True),
    "a column on one side alone": (TABLE, after(columns=OTHER + COLUMN), False),
    "an index on one side alone": (after(keys=KEY.replace("note", "mail")), after(columns=COLUMN), False),
    "both sides have it": (after(columns=COLUMN), after(columns=COLUMN), False),
    "none has it": (TABLE, TABLE, False),
}


@pytest.mark.parametrize(("without", "having", "alone"), BESIDES.values(), ids=BESIDES)
def test_a_change_is_the_only_difference_if_all_else_is_alike_and_it_stands_last(without: str, having: str, *, alone: bool) -> None:
    assert is_the_only_difference(changes_of("ADD COLUMN note TEXT"), without, having) is alone


ALIKE = {
    "counters": (TABLE.replace("=17", "=99"), True),
    "the order of keys": (
        TABLE.replace("  UNIQUE KEY `by_mail` (`mail`),\n", "").replace("(10))\n", "(10)),\n  UNIQUE KEY `by_mail` (`mail`)\n"),
        True,
    ),
    "the order of columns": (
        TABLE.replace("  `id` bigint NOT NULL AUTO_INCREMENT,\n", "").replace(
            "  PRIMARY", "  `id` bigint NOT NULL AUTO_INCREMENT,\n  PRIMARY"
        ),
        False,
    ),
    "a column more": (after(columns=COLUMN), False),
    "another type": (TABLE.replace("varchar(64)", "varchar(65)"), False),
    "an index of vectors": (after(keys="  VECTOR KEY `v` (`mail`)"), False),
    "other options": (TABLE.replace("utf8mb4", "latin1"), False),
}


@pytest.mark.parametrize(("other", "alike"), ALIKE.values(), ids=ALIKE)
def test_tables_are_alike_by_what_they_declare(other: str, *, alike: bool) -> None:
    assert are_alike(TABLE, other) is alike


def test_the_lines_of_a_definition_are_known_by_what_they_name() -> None:
    assert list(lines_of(TABLE)) == ["column id", "column Day", "column mail", "key PRIMARY KEY", "key by_mail", "key by_day"]
    assert only_in(after(columns=COLUMN), TABLE) == "`note` text"
    assert only_in(TABLE, TABLE.replace("utf8mb4", "latin1")) == "as the other but for its options"


APART = {
    "the order of columns": (
        after(columns=COLUMN + OTHER),
        after(columns=OTHER + COLUMN),
        "column note, column other, key",
        "other, column note",
    ),
    "a type": (TABLE, TABLE.replace("varchar(64)", "varchar(65)"), "`mail` varchar(64) DEFAULT NULL", "`mail` varchar(65) DEFAULT NULL"),
    "options": (TABLE, TABLE.replace("utf8mb4", "latin1"), "but for its options", "but for its options"),
}


@pytest.mark.parametrize(("first", "second", "of_first", "of_second"), APART.values(), ids=APART)
def test_two_declarations_are_told_apart_by_what_differs(first: str, second: str, of_first: str, of_second: str) -> None:
    told = told_apart(first, second)
    assert of_first in told[0]
    assert of_second in told[1]
