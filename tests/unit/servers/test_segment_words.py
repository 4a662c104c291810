"""What is read off SHOW GRANTS, and what is sent to close a segment and to open it: word for word there and back."""

from __future__ import annotations

import pytest

from interlock.model.effects import CloseSegment, GuardTables, NoteOwner, OpenSegment, SegmentEffect
from interlock.model.segments import AccountState, Right, SegmentNote
from interlock.model.topology import ClusterName, ServerName, Tenants
from interlock.servers.guard_words import triggers
from interlock.servers.segment_rights import Grants, parse, rights_on, unclear, writes_everywhere
from interlock.servers.segment_words import script, statements

EAST = ServerName("east")
SHOP = ("shop_eu",)

RIGHTS = {
    "reads only": ("GRANT SELECT, SHOW VIEW ON `shop_eu`.* TO `a`@`%`", ()),
    "reads and writes": (
        "GRANT SELECT, INSERT, UPDATE ON `shop_eu`.* TO `a`@`%`",
        (Right(privileges=("INSERT", "UPDATE"), on="`shop_eu`.*"),),
    ),
    "all": (
        "GRANT ALL PRIVILEGES ON `shop_eu`.* TO `a`@`%` WITH GRANT OPTION",
        (Right(privileges=("ALL PRIVILEGES",), on="`shop_eu`.*", grant_option=True),),
    ),
    "an escaped pattern": ("GRANT INSERT ON `shop\\_eu`.* TO `a`@`%`", (Right(privileges=("INSERT",), on="`shop\\_eu`.*"),)),
    "a wider pattern": ("GRANT INSERT ON `shop%`.* TO `a`@`%`", (Right(privileges=("INSERT",), on="`shop%`.*"),)),
    "another schema": ("GRANT INSERT ON `shop_us`.* TO `a`@`%`", ()),
    "a schema that an escaped pattern is not for": ("GRANT INSERT ON `shop\\_e`.* TO `a`@`%`", ()),
    "a table": ("GRANT DELETE ON `shop_eu`.`t` TO `a`@`%`", (Right(privileges=("DELETE",), on="`shop_eu`.`t`"),)),
    "a table of a schema that only looks like it": ("GRANT DELETE ON `shopXeu`.`t` TO `a`@`%`", ()),
    "columns, in one order": (
        "GRANT SELECT (`b`), UPDATE (`b`, `a`) ON `shop_eu`.`t` TO `a`@`%`",
        (Right(privileges=("UPDATE (`a`, `b`)",), on="`shop_eu`.`t`"),),
    ),
    "a column with an odd name": (
        "GRANT UPDATE (`x) ON ``y, z`) ON `shop_eu`.`t` TO `a`@`%`",
        (Right(privileges=("UPDATE (`x) ON ``y, z`)",), on="`shop_eu`.`t`"),),
    ),
    "a routine": ("GRANT EXECUTE ON PROCEDURE `shop_eu`.`p` TO `a`@`%`", (Right(privileges=("EXECUTE",), on="PROCEDURE `shop_eu`.`p`"),)),
    "everything": ("GRANT INSERT ON *.* TO `a`@`%`", ()),
    "nothing": ("GRANT USAGE ON *.* TO `a`@`%` IDENTIFIED BY PASSWORD '*6BB4837EB74329105EE4568DDA7DC67ED2CA2AD9'", ()),
}


@pytest.mark.parametrize(("line", "expected"), RIGHTS.values(), ids=RIGHTS.keys())
def test_a_grant_that_writes_a_schema_is_a_right(line: str, expected: tuple[Right, ...]) -> None:
    assert rights_on(parse([line]), SHOP) == expected


UNCLEAR = {
    "rights on its own schema": ("GRANT ALL PRIVILEGES ON `shop\\_eu`.* TO `a`@`%`", ""),
    "reading everything": ("GRANT SELECT, PROCESS, REPLICATION CLIENT ON *.* TO `a`@`%`", ""),
    "writing everything": ("GRANT SELECT, INSERT ON *.* TO `a`@`%`", "a@% has INSERT on everything"),
    "an administrator": ("GRANT ALL PRIVILEGES ON *.* TO `a`@`%`", "a@% has ALL PRIVILEGES on everything"),
    "a pattern for more": ("GRANT INSERT ON `shop_eu`.* TO `a`@`%`", "the grant of a@% on `shop_eu`.* is also for shopXeu"),
    "a role that writes": ("GRANT `writers` TO `a`@`%`", "a@% can write by the role writers"),
    "a role that has such a role": ("GRANT `outer` TO `a`@`%`", "a@% can write by the role writers"),
    "a role that reads": ("GRANT `readers` TO `a`@`%`", ""),
    "what nobody understands": ("REVOKE INSERT ON `shop_eu`.* FROM `a`@`%`", "a right that is not understood: REVOKE INSERT"),
}
ROLES = {
    ("writers", ""): parse(["GRANT INSERT ON `shop\\_eu`.* TO `writers`"]),
    ("readers", ""): parse(["GRANT SELECT ON *.* TO `readers`"]),
    ("outer", ""): parse(["GRANT `writers` TO `outer`", "GRANT `outer` TO `outer`"]),
}


@pytest.mark.parametrize(("line", "message"), UNCLEAR.values(), ids=UNCLEAR.keys())
def test_what_can_t_be_given_back_exactly_is_named(line: str, message: str) -> None:
    found = unclear("a@%", parse([line]), SHOP, ("shopXeu", "app"), ROLES)
    assert [message in each for each in found] == ([True] if message else [])


def test_passwords_are_not_kept() -> None:
    assert "6BB4" not in str(parse(["GRANT WHATEVER TO `a`@`%` IDENTIFIED BY PASSWORD '*6BB4'"]))


def test_what_replication_and_monitors_have_writes_nothing() -> None:
    assert writes_everywhere(parse(["GRANT REPLICATION SLAVE, PROCESS, SELECT ON *.* TO `repl`@`%`"])) == ()
    assert parse([]) == Grants()


EU = AccountState(
    account="app'eu@10.%",
    locked=False,
    rights=(
        Right(privileges=("ALL PRIVILEGES",), on="`shop_eu`.*", grant_option=True),
        Right(privileges=("EXECUTE",), on="PROCEDURE `s`.`p`"),
    ),
)
NOTING = (
    "INSERT INTO `interlock`.`segment_owner` (`segment`, `owner`, `epoch`) VALUES ('eu', 'west', 7) "
    "ON DUPLICATE KEY UPDATE `owner`='west', `epoch`=7"
)
GUARD = AccountState(account="the guard of s.t", locked=False, guard=True)
GUARDING = "INSERT INTO `interlock`.`segment_guard` (`segment`, `closed`) VALUES ('eu', {closed}) ON DUPLICATE KEY UPDATE `closed`={closed}"
WORDS: dict[str, tuple[SegmentEffect, tuple[str, ...]]] = {
    "close": (
        CloseSegment(server=EAST, segment="eu", accounts=(EU,)),
        (
            r"ALTER USER 'app\'eu'@'10.%' ACCOUNT LOCK",
            r"REVOKE ALL PRIVILEGES ON `shop_eu`.* FROM 'app\'eu'@'10.%'",
            r"REVOKE GRANT OPTION ON `shop_eu`.* FROM 'app\'eu'@'10.%'",
            r"REVOKE EXECUTE ON PROCEDURE `s`.`p` FROM 'app\'eu'@'10.%'",
        ),
    ),
    "open": (
        OpenSegment(server=EAST, segment="eu", accounts=(EU,)),
        (
            r"GRANT ALL PRIVILEGES ON `shop_eu`.* TO 'app\'eu'@'10.%' WITH GRANT OPTION",
            r"GRANT EXECUTE ON PROCEDURE `s`.`p` TO 'app\'eu'@'10.%'",
            r"ALTER USER 'app\'eu'@'10.%' ACCOUNT UNLOCK",
        ),
    ),
    "an account that was locked before stays so": (
        OpenSegment(server=EAST, segment="eu", accounts=(AccountState(account="old@%", locked=True),)),
        (),
    ),
    "the note of an owner": (
        NoteOwner(server=EAST, segment="eu", note=SegmentNote(owner=ClusterName("west"), epoch=7)),
        (NOTING,),
    ),
    "the guard of tenants, locked": (
        CloseSegment(server=EAST, segment="eu", accounts=(GUARD,)),
        (GUARDING.format(closed=1),),
    ),
    "the guard of tenants, unlocked": (
        OpenSegment(server=EAST, segment="eu", accounts=(GUARD,)),
        (GUARDING.format(closed=0),),
    ),
    "no note": (NoteOwner(server=EAST, segment="eu", note=None), ("DELETE FROM `interlock`.`segment_owner` WHERE `segment`='eu'",)),
}


@pytest.mark.parametrize(("effect", "expected"), WORDS.values(), ids=WORDS.keys())
def test_each_effect_in_words(effect: SegmentEffect, expected: tuple[str, ...]) -> None:
    assert statements(effect) == expected
    assert script(effect)[0] == "SET SESSION sql_log_bin=0"
    assert script(effect)[1 : len(expected) + 1] == expected


def test_a_guard_asks_with_a_lock_and_only_of_its_own_rows() -> None:
    """Who writes another tenant's row never waits for it; who is let through is waited for."""
    tenants = Tenants(column="of`", values=("a", "b'"), tables=("s.t",))
    made = statements(GuardTables(server=EAST, segment="e'u", tenants=tenants, tables=tenants.tables))
    (update,) = (line for line in made if "BEFORE UPDATE" in line)
    assert update.partition(" FOR EACH ROW ")[2] == (
        r"BEGIN IF @@sql_log_bin AND (OLD.`of``` IN ('a', 'b\'') OR NEW.`of``` IN ('a', 'b\'')) THEN "
        r"IF IFNULL((SELECT `closed` FROM `interlock`.`segment_guard` WHERE `segment`='e\'u' LOCK IN SHARE MODE), 1) THEN "
        r"SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO=1644, MESSAGE_TEXT='segment e\'u is closed on this server'; END IF; END IF; END"
    )
    assert sum(line.startswith("CREATE TRIGGER") for line in made) == 5


@pytest.mark.parametrize("closed", [False, True], ids=["where it is owned", "elsewhere"])
def test_a_guard_that_was_not_there_is_as_it_is_to_be_from_its_beginning(*, closed: bool) -> None:
    tenants = Tenants(column="t", values=("a",), tables=("s.t",))
    made = statements(GuardTables(server=EAST, segment="eu", tenants=tenants, tables=tenants.tables, closed=closed))
    (begun,) = (line for line in made if line.startswith("INSERT"))
    assert begun == f"INSERT IGNORE INTO `interlock`.`segment_guard` (`segment`, `closed`) VALUES ('eu', {closed:d})"


def test_triggers_of_several_segments_and_tables_have_names_of_their_own() -> None:
    tenants = Tenants(column="t", values=("a",), tables=("s.t", "s.u"))
    names = {each.name for segment in ("eu", "us") for each in triggers(segment, tenants, tenants.tables)}
    assert len(names) == 20
    assert max(map(len, names)) <= 64
