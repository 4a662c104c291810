"""Which settings are taken over, by which name, and which kind of server is nearest."""

from __future__ import annotations

import pytest

from interlock.sandbox.likeness.nearest import distance
from interlock.sandbox.likeness.schema import Declared, unlike
from interlock.sandbox.likeness.settings import Difference, at_start, differences, option_line, while_it_runs


def test_what_can_not_be_changed_later_stands_in_the_option_file_and_what_a_release_lacks_is_no_error() -> None:
    settings = {
        "lower_case_table_names": "1",
        "log_slave_updates": "ON",
        "binlog_format": "MIXED",
        "sql_mode": "",
        "slave_parallel_mode": "",
    }
    assert at_start(settings) == {"lower_case_table_names": "1", "loose_log_slave_updates": "ON", "loose_binlog_format": "MIXED"}


@pytest.mark.parametrize(
    ("there", "here", "set_"),
    [
        pytest.param({"sql_mode": "ANSI"}, {"sql_mode": ""}, [("sql_mode", "ANSI")], id="differs"),
        pytest.param({"sql_mode": "ANSI"}, {"sql_mode": "ANSI"}, [], id="alike"),
        pytest.param(
            {"tx_isolation": "SERIALIZABLE"}, {"transaction_isolation": "X"}, [("transaction_isolation", "SERIALIZABLE")], id="renamed"
        ),
        pytest.param({"partial_revokes": "ON"}, {}, [], id="not-known-here"),
        pytest.param({"max_connections": "9"}, {"max_connections": "200"}, [], id="not-taken"),
    ],
)
def test_a_setting_is_set_by_the_name_that_the_sandbox_knows(
    there: dict[str, str], here: dict[str, str], set_: list[tuple[str, str]]
) -> None:
    assert list(while_it_runs(there, here)) == set_


def test_a_restart_finds_it_by_the_name_of_the_option() -> None:
    assert option_line("time_zone", "+02:00") == "loose_default_time_zone=+02:00\n"


def test_what_differs_is_told_with_both_values_or_that_one_has_none() -> None:
    there = {"sql_mode": "ANSI", "max_connections": "9", "partial_revokes": "ON", "time_zone": "SYSTEM", "tx_isolation": "A"}
    here = {"sql_mode": "", "max_connections": "200", "time_zone": "SYSTEM", "transaction_isolation": "A", "lc_time_names": "de_DE"}
    assert set(differences(there, here)) == {
        Difference(name="sql_mode", there="ANSI", here=""),
        Difference(name="partial_revokes", there="ON", here=None),
        Difference(name="max_connections", there="9", here="200"),
    }


@pytest.mark.parametrize(
    ("wanted", "nearest"),
    [((10, 6, 20), (10, 11, 6)), ((11, 4, 2), (11, 8, 1)), ((10, 11, 9), (10, 11, 6)), ((11, 0, 1), (11, 8, 1))],
    ids=["older", "between", "patch", "next-major"],
)
def test_the_nearest_release_is_taken(wanted: tuple[int, int, int], nearest: tuple[int, int, int]) -> None:
    assert min([(10, 11, 6), (11, 8, 1)], key=lambda one: distance(one, wanted)) == nearest


TABLE = Declared(kind="table", schema="shop", name="orders", statement="CREATE TABLE `orders` (\n `id` int\n) AUTO_INCREMENT=7")


@pytest.mark.parametrize(
    ("here", "same_release", "said"),
    [
        pytest.param([], True, ["table shop.orders is not there"], id="missing"),
        pytest.param([("AUTO_INCREMENT=7", "AUTO_INCREMENT=9")], True, [], id="counted-on"),
        pytest.param([("`id` int", "`id` bigint")], True, ["table shop.orders is declared otherwise"], id="otherwise"),
        pytest.param([("`id` int", "`id` bigint")], False, [], id="another-release-says-it-otherwise"),
    ],
)
def test_an_object_that_is_missing_or_otherwise_is_told(here: list[tuple[str, str]], said: list[str], *, same_release: bool) -> None:
    made = [Declared(kind="table", schema="shop", name="orders", statement=TABLE.statement.replace(*change)) for change in here]
    assert list(unlike([TABLE], made, same_release=same_release)) == said


@pytest.mark.parametrize(
    ("statement", "definer"),
    [
        ("CREATE DEFINER=`boss`@`%` PROCEDURE `p`() SELECT 1", ("boss", "%")),
        ("CREATE ALGORITHM=UNDEFINED DEFINER=`a``b`@`10.%` SQL SECURITY DEFINER VIEW `v` AS select 1", ("a`b", "10.%")),
        ("CREATE TABLE `t` (`c` text DEFAULT 'CREATE DEFINER=`x`@`y`')", None),
        ("CREATE PROCEDURE `p`() SELECT 'DEFINER=`x`@`y`'", None),
        ("CREATE DEFINER=`role`@`` PROCEDURE `p`() SELECT 1", None),
    ],
    ids=["procedure", "view", "in-a-default", "in-a-body", "role"],
)
def test_a_definer_is_read_off_the_statement(statement: str, definer: tuple[str, str] | None) -> None:
    assert Declared(kind="x", name="x", statement=statement).definer == definer
