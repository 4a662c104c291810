"""Where a statement goes: whatever rules there are, the way that the stand-in's own reading of them takes is one of those judged."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from interlock.routes.proxysql_destinations import Tables, Traffic, Way, ways
from interlock.sandbox.proxysql.rules import rules_of

ACCOUNTS, SCHEMAS, DEFAULT = ("eu", "us"), ("shop_eu", "shop_us"), 99
HOSTGROUPS, FLAGS = ("10", "20", "30"), ("0", "1", "2")

RULES = st.lists(
    st.fixed_dictionaries(
        {
            "username": st.sampled_from(("", *ACCOUNTS)),
            "schemaname": st.sampled_from(("", *SCHEMAS)),
            "flagIN": st.sampled_from(("0", *FLAGS)),
            "flagOUT": st.sampled_from(("", "", *FLAGS)),
            "match_digest": st.sampled_from(("", "", "^SELECT")),
            "negate_match_pattern": st.sampled_from("01"),
            "destination_hostgroup": st.sampled_from(("", *HOSTGROUPS)),
            "apply": st.sampled_from("01"),
            "client_addr": st.just(""),
            "match_pattern": st.just(""),
            "re_modifiers": st.just("CASELESS"),
        }
    ),
    max_size=6,
).map(lambda rules: [{"rule_id": str(number), **rule} for number, rule in enumerate(rules)])
FAST = st.lists(
    st.fixed_dictionaries(
        {
            "username": st.sampled_from(("", *ACCOUNTS)),
            "schemaname": st.sampled_from(SCHEMAS),
            "flagIN": st.sampled_from(FLAGS),
            "destination_hostgroup": st.sampled_from(HOSTGROUPS),
        }
    ),
    max_size=4,
    unique_by=lambda row: (row["username"], row["schemaname"], row["flagIN"]),
)
USERS = {name: {"username": name, "default_hostgroup": str(DEFAULT), "fast_forward": "0"} for name in ACCOUNTS}


@given(
    rules=RULES,
    fast=FAST,
    account=st.sampled_from(ACCOUNTS),
    schema=st.sampled_from(SCHEMAS),
    statement=st.sampled_from(("SELECT 1", "INSERT INTO t VALUES (1)")),
)
def test_the_way_that_is_taken_is_one_of_those_that_are_judged(
    rules: list[dict[str, str]], fast: list[dict[str, str]], account: str, schema: str, statement: str
) -> None:
    taken = rules_of(rules, fast).hostgroup(account=account, schema=schema, client="127.0.0.1", statement=statement, default=DEFAULT)
    tables = Tables(rules=rules, fast=fast, users=USERS)
    for traffic in (Traffic(account=account, schema=schema), Traffic(account=account, schema=None), Traffic(account=None, schema=schema)):
        judged = {DEFAULT if way.hostgroup is None else way.hostgroup for way in ways(tables, traffic)}
        assert taken in judged, traffic


@given(rules=RULES, fast=FAST)
def test_others_that_have_no_part_in_it_are_as_if_they_had_no_rules(rules: list[dict[str, str]], fast: list[dict[str, str]]) -> None:
    def judged(kept: list[dict[str, str]], rows: list[dict[str, str]], traffic: Traffic) -> set[Way]:
        return set(ways(Tables(rules=kept, fast=rows, users=USERS), traffic))

    last = [{**rule, "apply": "0", "flagIN": "9", "username": "nobody"} for rule in rules[:1]]  # so that fast routing is always asked
    mine, rows = ([row for row in each if row["schemaname"] != "shop_us"] for each in (rules, fast))
    traffic = Traffic(account="eu", schema=None, not_in=frozenset({"shop_us"}))
    assert judged([*rules, *last], fast, traffic) == judged([*mine, *last], rows, traffic)
