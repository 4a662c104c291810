"""What the contract does not ask: that nobody's change is overwritten, secrets stay unseen, and silence is bounded and has its name."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from interlock.clock import SystemClock
from interlock.documents.topology import parse_topology
from interlock.errors import DriverError, InvalidFile, OutcomeUnknown, StatementFailed, Unreachable, UsageError
from interlock.model.effects import PointTo, RestoreRoute
from interlock.model.facts import EndpointState
from interlock.ports import Route
from interlock.routes.registry import route_fields
from servers.etcd_lab import Cluster
from servers.http_stand_ins import Consul, Entry, MaxScale, Request, StandIn
from servers.route_benches import EAST, ROUTE, WEST, Behind, consul, etcd_put, haproxy_api, made, maxscale, webhook
from servers.route_benches import etcd as etcd_route
from waiting import eventually

CLOCK = SystemClock()
TO_WEST = PointTo(route=ROUTE, cluster=WEST)
API: dict[str, Callable[..., AbstractContextManager[Behind]]] = {
    "consul": consul,
    "webhook": webhook,
    "maxscale": maxscale,
    "data plane": lambda **_: haproxy_api("v3"),
}


@pytest.fixture(params=API)
def behind(request: pytest.FixtureRequest) -> Iterator[Behind]:
    with API[request.param]() as made_one:
        yield made_one


def stand_in_of(behind: Behind) -> StandIn:
    assert behind.stand_in is not None
    return behind.stand_in


def test_a_plan_shows_every_request_and_no_secret(behind: Behind) -> None:
    words = " ".join(behind.route.script(TO_WEST))
    assert stand_in_of(behind).url in words
    for secret in ("s3cret-token", "t0ken", "mariadb", "Basic ", "Bearer "):
        assert secret not in words, words


def test_a_wrong_secret_is_named_by_its_status_and_touches_nothing(behind: Behind) -> None:
    stand_in = stand_in_of(behind)
    judge = stand_in.handle
    stand_in.handle = lambda request: (401, "who are you?") if request.method else judge(request)
    with pytest.raises(DriverError, match="401"):
        behind.route.facts()


def test_what_is_not_there_is_unreachable(behind: Behind) -> None:
    behind.stop()
    with pytest.raises(Unreachable):
        behind.again().facts()
    with pytest.raises(Unreachable):
        behind.again().warm_up()


@pytest.mark.parametrize("kind", API)
def test_who_never_answers_is_given_up_in_time(kind: str) -> None:
    bound = {"within": 0.4} if kind == "webhook" else {"timeout": 0.4}
    with API[kind]() as behind:
        said = {**behind.settings, **bound}
        route = made(kind.replace("data plane", "haproxy_api"), said)
        assert eventually(lambda: looks(route))  # a busy machine may be late for so short a bound
        stand_in_of(behind).deaf.set()
        began = CLOCK.monotonic_s()
        with pytest.raises(OutcomeUnknown):
            route.apply(TO_WEST)
        with pytest.raises(Unreachable):
            made(kind.replace("data plane", "haproxy_api"), said).facts()
        assert CLOCK.monotonic_s() - began < 60  # it stays deaf
        stand_in_of(behind).deaf.clear()


def looks(route: Route) -> bool:
    try:
        route.facts()
    except Unreachable:
        return False
    return True


def lose_the_first_answer(stand_in: StandIn, method: str) -> None:
    """The request has its effect; its answer is a 500, as from a member that lost its leader after it had written."""
    judge = stand_in.handle
    lost: list[Request] = []

    def judged(request: Request) -> tuple[int, object]:
        answer = judge(request)
        if request.method == method and not lost:
            lost.append(request)
            return 500, "rpc error: No cluster leader"
        return answer

    stand_in.handle = judged


def test_a_write_to_consul_whose_answer_was_lost_is_sent_again_and_finds_itself() -> None:
    with consul() as behind:
        behind.route.facts()
        lose_the_first_answer(stand_in_of(behind), "PUT")
        behind.route.apply(TO_WEST)
        assert behind.route.facts().leads_to == (WEST,)


def test_consul_keeps_flags_and_nobodys_change_is_overwritten() -> None:
    with consul() as behind:
        state = behind.state
        assert isinstance(state, Consul)
        behind.route.facts()
        behind.route.apply(TO_WEST)
        assert (state.keys["db/writer"].value, state.keys["db/writer"].flags) == ("10.2.0.10:3306", 42)
        behind.route.facts()
        state.index += 1
        state.keys["db/writer"] = Entry(value="10.9.9.9:3306", flags=0, created=7, modified=state.index)
        with pytest.raises(StatementFailed, match="was changed by somebody else since it was looked at") as failed:
            behind.route.apply(TO_WEST)
        assert failed.value.hint == "see who else writes it"
        assert state.keys["db/writer"].value == "10.9.9.9:3306"
        assert behind.route.facts().leads_to == ()


def test_a_key_that_was_not_there_is_gone_again_after_the_way_back() -> None:
    with consul() as behind:
        state = behind.state
        assert isinstance(state, Consul)
        del state.keys["db/writer"]
        before = behind.route.facts()
        assert before.leads_to == ()
        behind.route.apply(TO_WEST)
        behind.route.apply(RestoreRoute(route=ROUTE, seen=before))
        assert state.keys == {}


def test_consul_without_a_leader_is_unreachable() -> None:
    with consul(timeout=1.5) as behind:
        state = behind.state
        assert isinstance(state, Consul)
        state.leader = False
        with pytest.raises(Unreachable, match="No cluster leader"):
            behind.route.facts()


def test_the_next_agent_is_asked_when_one_is_gone() -> None:
    with consul() as first:
        url = stand_in_of(first).url
        route = made("consul", {**first.settings, "url": ("http://127.111.0.1:8599", url)})
        route.facts()
        route.apply(TO_WEST)
        assert route.facts().leads_to == (WEST,)


def test_nobodys_change_in_etcd_is_overwritten_and_a_lease_stays(etcd: Cluster) -> None:
    with etcd_route(etcd) as behind:
        key = str(behind.settings["key"])
        lease = etcd.ask("lease/grant", {"TTL": "60"})["ID"]
        coded = b64encode(key.encode()).decode()
        etcd.ask("kv/put", {"key": coded, "value": b64encode(b"east").decode(), "lease": lease})
        behind.route.facts()
        behind.route.apply(TO_WEST)
        assert etcd.ask("kv/range", {"key": coded})["kvs"][0]["lease"] == lease
        behind.route.facts()
        etcd_put(etcd, key, "elsewhere")
        with pytest.raises(StatementFailed, match="was changed by somebody else"):
            behind.route.apply(TO_WEST)
        assert behind.route.facts().leads_to == ()


def test_a_body_with_braces_reaches_the_service_whole_and_its_no_is_repeated() -> None:
    with webhook() as behind:
        behind.route.apply(TO_WEST)
        flip = next(request for request in stand_in_of(behind).seen if request.path == "/switch")
        assert flip.body == '{"to": "pool-west"}'
        stand_in_of(behind).handle = lambda _: (409, "frozen until Monday")
        with pytest.raises(StatementFailed, match="answered 409, allowed: 202; it said: frozen until Monday"):
            behind.route.apply(TO_WEST)


def test_a_service_that_takes_its_time_is_asked_again_and_not_told_again() -> None:
    with webhook() as behind:
        judge = stand_in_of(behind).handle
        held: list[Request] = []

        def late(request: Request) -> tuple[int, object]:
            if request.path != "/switch":
                if held and sum(each.path == "/state" for each in stand_in_of(behind).seen) > 4:
                    judge(held.pop())
                return judge(request)
            held.append(request)
            return 202, {"ok": "soon"}

        stand_in_of(behind).handle = late
        behind.route.apply(TO_WEST)
        assert behind.route.facts().leads_to == (WEST,)
        assert sum(request.path == "/switch" for request in stand_in_of(behind).seen) == 1


@pytest.mark.parametrize("answer", ["", "pool-north", '{"pools": []}', "[]"])
def test_a_service_must_name_a_cluster(answer: str) -> None:
    with webhook() as behind:
        stand_in_of(behind).handle = lambda _: (200, answer)
        with pytest.raises(StatementFailed, match=r"is no cluster|no JSON"):
            behind.route.facts()


def test_maxscale_waits_for_its_monitor_where_the_service_asks_for_a_master() -> None:
    with maxscale(settle=60.0) as behind:
        state = behind.state
        assert isinstance(state, MaxScale)
        state.router = "readwritesplit"
        assert behind.route.facts().leads_to == (EAST,)
        judge, looks = stand_in_of(behind).handle, []

        def sees_it_at_the_third_look(request: Request) -> tuple[int, object]:
            if request.path == "/v1/servers" and state.listed == ["w"]:
                looks.append(request)
                if len(looks) == 3:
                    state.states |= {"e": "Slave, Running", "w": "Master, Running"}
            return judge(request)

        stand_in_of(behind).handle = sees_it_at_the_third_look
        behind.route.apply(TO_WEST)
        assert behind.route.facts().leads_to == (WEST,)
        assert len(looks) == 4


@pytest.mark.parametrize("state", ["Down", "Maintenance, Running", "Draining, Running", "Drained, Running"])
def test_a_server_that_maxscale_does_not_use_gets_no_clients(state: str) -> None:
    with maxscale() as behind:
        assert isinstance(behind.state, MaxScale)
        behind.state.states["e"] = state
        facts = behind.route.facts()
        assert facts.leads_to == ()
        assert facts.endpoints[0].state is EndpointState.MAINTENANCE


def test_a_service_of_maxscale_with_others_in_it_is_refused_unless_it_splits_reads() -> None:
    with maxscale() as behind:
        state = behind.state
        assert isinstance(state, MaxScale)
        state.listed = ["e", "other"]
        with pytest.raises(StatementFailed, match="also uses other, which is no master of this pair") as refused:
            behind.route.facts()
        assert refused.value.hint == "give the writes a service of their own"
        state.router = "readwritesplit"
        before = behind.route.facts()
        behind.route.apply(TO_WEST)
        assert state.listed == ["w"]
        behind.route.apply(RestoreRoute(route=ROUTE, seen=before))
        assert state.listed == ["e", "other"]


def test_maxscale_ends_the_sessions_of_its_listener_at_a_flip() -> None:
    with maxscale(listener="in") as behind:
        assert isinstance(behind.state, MaxScale)
        behind.route.apply(TO_WEST)
        assert (behind.state.cut, behind.state.listener) == (1, "Running")


def test_a_server_that_the_data_plane_does_not_know_is_named_with_those_that_it_does() -> None:
    with haproxy_api("v3") as behind:
        route = made("haproxy_api", {**behind.settings, "servers": {EAST: "a", WEST: "c"}})
        with pytest.raises(StatementFailed, match="has no server db/c") as failed:
            route.facts()
        assert "servers seen: a, b" in failed.value.hint


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("consul", {"url": ("http://x",), "key": "k", "values": {EAST: "a", WEST: "a"}}, "the same value"),
    ("consul", {"url": ("http://x",), "key": "k", "hold_key": "h"}, "come together"),
    ("etcd", {"url": ("http://x",), "key": "k", "user": "u"}, "come together"),
    ("webhook", {"flip": {"url": "http://x/y"}}, "has no {to}"),
    ("webhook", {"flip": {"url": "http://x/{to}"}, "hold": {"url": "http://x/h"}}, "come together"),
    ("webhook", {"flip": {"url": "http://x/{to}"}, "show": {"url": "http://x", "pointer": "a/b"}}, "is no JSON pointer"),
    ("maxscale", {"url": ("http://x",), "service": "a", "servers": {EAST: "e", WEST: "w"}, "hold_limit": 3.0}, "without `listener`"),
    ("haproxy_api", {"url": ("http://x",), "backend": "b", "servers": {EAST: "a", WEST: "a"}}, "the same server"),
    ("command", {"flip": ("f", "{to}"), "on": EAST}, "no way to run a command on east"),
]


@pytest.mark.parametrize(("kind", "settings", "words"), BAD, ids=[f"{kind}: {words}" for kind, _, words in BAD])
def test_settings_that_cannot_work_are_refused(kind: str, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        made(kind, settings)


_API = '"http://x:1"'
HOSTILE = [
    ('type: consul, key: k, url: "ftp://x"', "url: 'ftp://x' is no address of an API"),
    ('type: consul, key: k, url: "http://u:secret@x"', "is no address of an API"),
    ('type: etcd, key: k, url: ["http://x", "http://y?z"]', "'http://y?z' is no address of an API"),
    (f"type: consul, url: {_API}, key: ../acl", "key: '../acl' is no name of a key in Consul"),
    (f'type: consul, url: {_API}, key: "k?raw"', "key: 'k?raw' is no name"),
    (f'type: consul, url: {_API}, key: k, hold_limit: 1s, hold_key: "h&x"', "hold_key: 'h&x' is no name"),
    (f'type: consul, url: {_API}, key: k, datacenter: "a&b"', "datacenter: 'a&b' is no name of a datacenter"),
    (f"type: maxscale, url: {_API}, service: a/b, servers: {{east: e, west: w}}", "service: 'a/b' is no name of MaxScale's"),
    (f'type: maxscale, url: {_API}, service: a, servers: {{east: e, west: "w/../x"}}', "servers: 'w/../x' is no name"),
    (f'type: haproxy_api, url: {_API}, backend: "b?x", servers: {{east: a, west: b}}', "backend: 'b?x' is no name of HAProxy's"),
    (f"type: consul, url: {_API}, key: k, token: t0ps3cret", "token stands in the file itself"),
]


@pytest.mark.parametrize(("said", "words"), HOSTILE, ids=[words for _, words in HOSTILE])
def test_hostile_values_are_refused_with_their_line(said: str, words: str) -> None:
    text = f"""\
topology: shop
access: {{user: u, tls: off}}
clusters:
  east: {{master: {{host: 10.1.0.10}}}}
  west: {{master: {{host: 10.2.0.10}}}}
routes:
  writes: {{{said}}}
"""
    with pytest.raises(InvalidFile) as refused:
        parse_topology(text, file="shop.yaml", route_types=route_fields())
    (problem,) = refused.value.problems
    assert (problem.line, words in problem.what) == (7, True), problem.what
    assert "t0ps3cret" not in str(refused.value)
