"""Where a statement goes by mysql_query_rules, fast routing, and its account. As lib/Query_Processor.cpp, process_query, has it (3.0)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import field

from interlock.dataclass import dataclass

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is at run time. `match_digest` is held against the statement itself: there are no digests here."""

    rules: Sequence[Row] = ()
    fast: Mapping[tuple[str, str, str], int] = field(default_factory=dict)

    def hostgroup(self, *, account: str, schema: str, client: str, statement: str, default: int) -> int:
        flag, found, last = "0", default, False
        for rule in self.rules:
            last = rule["apply"] == "1"
            if rule["flagIN"] != flag or not _matches(rule, account, schema, client, statement):
                continue
            found = int(rule["destination_hostgroup"] or found)
            flag = rule["flagOUT"] or flag
            if last:
                return found
        if last:
            return found  # the last rule's apply counts, whether it matched or not (issue 5620)
        return self.fast.get((account, schema, flag), self.fast.get(("", schema, flag), found))


def rules_of(rules: Sequence[Row], fast: Sequence[Row]) -> Rules:
    return Rules(
        rules=sorted(rules, key=lambda rule: int(rule["rule_id"])),
        fast={(row["username"], row["schemaname"], row["flagIN"]): int(row["destination_hostgroup"]) for row in fast},
    )


def _matches(rule: Row, account: str, schema: str, client: str, statement: str) -> bool:
    prefix, wildcard, _ = rule["client_addr"].partition("%")
    if wildcard and not client.startswith(prefix):
        return False
    wanted = ((rule["username"], account), (rule["schemaname"], schema), ("" if wildcard else prefix, client))
    if any(said and said != it for said, it in wanted):
        return False
    patterns = [rule[column] for column in ("match_digest", "match_pattern") if rule[column]]
    flags = re.IGNORECASE if "CASELESS" in rule["re_modifiers"].upper() else 0
    return all(bool(re.search(pattern, statement, flags)) != (rule["negate_match_pattern"] == "1") for pattern in patterns)
