"""Facts go to JSON and come back as they were: `before` is read from the journal on resume."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.actions.route_facts import SeenRoutes
from interlock.actions.sessions import SeenSessions
from interlock.model.codec import from_plain, to_plain
from interlock.model.facts import EndpointFacts, EndpointState, RouteFacts, SessionFacts, WriteFacts
from interlock.model.position import Gtid, MariaDBPosition
from interlock.model.topology import ClusterName, RouteName, ServerName

texts = st.text(max_size=12)
names = st.text(min_size=1, max_size=8)
small = st.integers(min_value=0, max_value=9)
positions = st.lists(st.builds(Gtid, small, small, small), max_size=4).map(lambda found: MariaDBPosition.parse(",".join(map(str, found))))
endpoints = st.builds(
    EndpointFacts,
    proxy=texts,
    endpoint=texts,
    cluster=st.none() | names.map(ClusterName),
    state=st.sampled_from(EndpointState),
    healthy=st.none() | st.booleans(),
    sessions=small,
    queued=small,
    raw=st.dictionaries(texts, texts, max_size=3),
)
routes = st.builds(
    RouteFacts,
    route=names.map(RouteName),
    leads_to=st.lists(names.map(ClusterName), max_size=2).map(tuple),
    holding=st.booleans(),
    hold_s=st.none() | st.floats(min_value=0, max_value=100),
    provable=st.booleans(),
    endpoints=st.lists(endpoints, max_size=3).map(tuple),
)
writes = st.builds(
    WriteFacts, server=names.map(ServerName), read_only=st.booleans(), position=positions, event_scheduler=st.sampled_from(["ON", "OFF"])
)
sessions = st.builds(
    SessionFacts,
    id=small,
    user=texts,
    host=texts,
    command=texts,
    state=texts,
    time_s=st.floats(min_value=0, max_value=9),
    statement=texts,
    transaction_s=st.none() | st.floats(min_value=0, max_value=9),
    rows_modified=small,
    passes_read_only=st.none() | st.booleans(),
)
facts = st.one_of(
    writes,
    st.builds(SeenRoutes, routes=st.lists(routes, max_size=2).map(tuple)),
    st.builds(SeenSessions, sessions=st.lists(sessions, max_size=2).map(tuple)),
)


@given(facts)
def test_facts_come_back_from_json_as_they_were(seen: object) -> None:
    assert from_plain(json.loads(json.dumps(to_plain(seen))), type(seen)) == seen


@pytest.mark.parametrize(
    ("value", "kind", "place"),
    [
        ({"server": "east", "read_only": "no", "position": "", "event_scheduler": "ON"}, WriteFacts, "read_only"),
        ({"server": "east", "read_only": True, "position": "x", "event_scheduler": "ON"}, WriteFacts, "position"),
        ({"server": "east"}, WriteFacts, "read_only"),
        ([], WriteFacts, "object"),
    ],
    ids=["wrong kind", "no position", "missing", "no mapping"],
)
def test_what_does_not_fit_is_refused_by_its_place(value: object, kind: type, place: str) -> None:
    with pytest.raises(ValueError, match=place):
        from_plain(value, kind)


def test_what_has_no_json_form_is_refused() -> None:
    @dataclass(frozen=True, slots=True)
    class Odd:
        what: object

    with pytest.raises(TypeError, match="no JSON form for set"):
        to_plain(Odd(what={1}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """As those of a way of fencing, which stand in what was seen before it."""

    settings: tuple[Mapping[str, object], ...]


def test_settings_of_a_topology_come_back_whatever_they_hold() -> None:
    plain = {"settings": [{"type": "command", "fence": ["./off", "{cluster}"], "within": 5.0, "whole": True, "name": None}]}
    assert to_plain(from_plain(plain, Settings)) == plain
