"""The DNS route on real BIND and Knot servers: signed updates, their undo, secondaries, caches, and servers that don't answer."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from interlock.clock import Deadline, SystemClock
from interlock.errors import DriverError, NotPermitted, OutcomeUnknown, StatementFailed, Unreachable, UsageError
from interlock.hosts.local import Here
from interlock.model.codec import from_plain, to_plain
from interlock.model.effects import Hold, PointTo, Release, RestoreRoute
from interlock.model.facts import RouteFacts
from interlock.model.topology import ClusterName, RouteName, RouteSpec, SecretRef, SecretSource, Topology
from interlock.ports import Route
from interlock.routes.contract import ROUTE_RULES, Bench, Rule
from interlock.routes.parts import RouteParts
from interlock.routes.registry import make_route
from servers.dns_lab import EAST, KEY, NAME, WEST, ZONE, Lab, NameServer, ask, await_same, name_servers, put, serial

ROUTE = RouteName("name")
CLOCK = SystemClock()
TO_EAST, TO_WEST = (PointTo(route=ROUTE, cluster=ClusterName(name)) for name in ("east", "west"))


@pytest.fixture(scope="module", params=["bind", "knot"])
def labs(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with tempfile.TemporaryDirectory(prefix="dns-") as folder, name_servers(Path(folder), request.param) as made:
        yield made


@pytest.fixture(scope="module")
def binds() -> Iterator[Lab]:
    """Where the make does not matter: BIND alone."""
    with tempfile.TemporaryDirectory(prefix="dns-") as folder, name_servers(Path(folder), "bind") as made:
        yield made


@pytest.fixture
def lab(labs: Lab) -> Lab:
    put(labs, f"5 A {EAST}")
    return labs


@pytest.fixture
def bind(binds: Lab) -> Lab:
    for server in (binds.primary, binds.secondary, binds.cache):
        if server.process is None:
            server.start()
    put(binds, f"1 A {EAST}")
    return binds


def route(lab: Lab, *, secret: str | None = None, resolvers: Sequence[NameServer] = (), key: str = KEY, **settings: object) -> Route:
    said = {
        "server": lab.primary.host,
        "port": lab.primary.port,
        "zone": ZONE,
        "record": "writer",
        "ttl": 5,
        "tsig": {"name": key, "algorithm": "hmac-sha256", "secret": SecretRef(source=SecretSource.ENV, place=("TSIG",))},
        "values": {"east": EAST, "west": WEST},
        "resolvers": tuple(resolver.place for resolver in resolvers),
        "timeout": 3.0,
        **settings,
    }
    parts = RouteParts(
        topology=Topology(name="shop", clusters={}),
        outside=Here(CLOCK),
        clock=CLOCK,
        secrets=lambda _: lab.secret if secret is None else secret,
    )
    return make_route(RouteSpec(name=ROUTE, kind="dns", settings=said), parts)


@pytest.mark.parametrize("rule", ROUTE_RULES, ids=lambda rule: rule.name)
def test_it_keeps_the_contract_of_routes(lab: Lab, rule: Rule) -> None:
    rule.check(Bench(route=route(lab), here=ClusterName("east"), there=ClusterName("west")))


def test_a_flip_moves_the_record_there_and_back_with_the_ttl_of_the_topology(lab: Lab) -> None:
    name = route(lab, ttl=7)
    assert (name.facts().leads_to, name.facts().hold_s, name.facts().provable) == (("east",), None, True)
    for effect, value, cluster in ((TO_WEST, WEST, "west"), (TO_EAST, EAST, "east"), (TO_WEST, WEST, "west")):
        name.apply(effect)
        assert ask(lab.primary) == [f"7 {value}"]
        assert name.facts().leads_to == (cluster,)


def test_the_second_flip_changes_nothing(lab: Lab) -> None:
    name = route(lab)
    name.apply(TO_WEST)
    before = serial(lab.primary)
    name.apply(TO_WEST)
    assert serial(lab.primary) == before


def test_the_right_to_update_is_proved_without_a_change(lab: Lab) -> None:
    put(lab, f"47 A {EAST}")
    before = serial(lab.primary)
    route(lab).warm_up()
    assert (serial(lab.primary), ask(lab.primary)) == (before, [f"47 {EAST}"])


def test_it_can_not_hold_and_says_so(lab: Lab) -> None:
    name = route(lab)
    before = serial(lab.primary)
    for effect in (Hold(route=ROUTE), Release(route=ROUTE)):
        assert name.script(effect) == ()
        name.apply(effect)
    assert serial(lab.primary) == before
    assert not name.facts().holding


@pytest.mark.parametrize(
    ("kind", "east", "west"),
    [
        ("A", "10.1.0.10", "10.2.0.10"),
        ("AAAA", "2001:db8:0:0::A", "2001:db8::b"),
        ("CNAME", "Db-East.Example.net", "db-west.example.net."),
    ],
)
def test_addresses_of_both_versions_and_aliases_are_flipped_and_restored(lab: Lab, kind: str, east: str, west: str) -> None:
    put(lab, f"300 {kind} {east.rstrip('.')}{'.' if kind == 'CNAME' else ''}")
    name = route(lab, values={"east": east, "west": west})
    before, seen = ask(lab.primary, kind=kind), name.facts()
    assert seen.leads_to == ("east",)
    name.apply(TO_WEST)
    assert name.facts().leads_to == ("west",)
    name.apply(RestoreRoute(route=ROUTE, seen=seen))
    assert [line.lower() for line in ask(lab.primary, kind=kind)] == [line.lower() for line in before]


def test_undo_puts_the_record_back_with_the_ttl_that_was_seen(lab: Lab) -> None:
    put(lab, f"47 A {EAST}")
    name = route(lab)
    seen = from_plain(to_plain(name.facts()), RouteFacts)  # as a resumed run has it
    name.apply(TO_WEST)
    for _ in range(2):
        name.apply(RestoreRoute(route=ROUTE, seen=seen))
        assert ask(lab.primary) == [f"47 {EAST}"]
    put(lab, f"5 A {EAST}")  # somebody went back by hand, with another TTL
    name.apply(RestoreRoute(route=ROUTE, seen=seen))
    assert ask(lab.primary) == [f"47 {EAST}"]


@pytest.mark.parametrize(
    ("records", "shown"),
    [(["5 A 198.51.100.9"], ["5 198.51.100.9"]), ([f"5 A {EAST}", f"5 A {WEST}"], [f"5 {EAST}", f"5 {WEST}"]), ([], [])],
    ids=["another address", "one more address", "removed"],
)
def test_what_somebody_else_wrote_meanwhile_is_not_overwritten(lab: Lab, records: list[str], shown: list[str]) -> None:
    name = route(lab)
    seen = name.facts()
    put(lab, *records)
    for effect in (TO_WEST, RestoreRoute(route=ROUTE, seen=seen)):
        with pytest.raises(StatementFailed, match=rf"{NAME} at DNS server .* is none of {EAST}, {WEST} alone: nothing was changed"):
            name.apply(effect)
    assert ask(lab.primary) == shown


@pytest.mark.parametrize(
    ("records", "leads_to"), [([], ()), ([f"5 A {EAST}", f"5 A {WEST}"], ("east", "west"))], ids=["no record", "both addresses"]
)
def test_a_record_of_nobody_or_of_both_leads_there(lab: Lab, records: list[str], leads_to: tuple[str, ...]) -> None:
    put(lab, *records)
    seen = route(lab).facts()
    assert seen.leads_to == leads_to
    assert route(lab).script(RestoreRoute(route=ROUTE, seen=seen)) == (), "no flip moves such a record, so none is put back"


@pytest.mark.parametrize(
    ("records", "strange"),
    [
        (["5 A 198.51.100.9"], "holds 198.51.100.9,"),
        ([f"5 A {EAST}", "5 A 198.51.100.9"], "holds 198.51.100.9,"),
        ([f"5 A {EAST}", "5 AAAA 2001:db8::1"], "holds AAAA 2001:db8::1,"),
        (["5 CNAME db.example.net."], "holds CNAME db.example.net.,"),
    ],
    ids=["another address", "one more address", "an address of the other version", "an alias"],
)
def test_an_address_of_no_cluster_is_no_state_of_the_route(lab: Lab, records: list[str], strange: str) -> None:
    put(lab, *records)
    with pytest.raises(StatementFailed, match=strange) as failed:
        route(lab).facts()
    assert "take it out of the zone" in failed.value.hint


def test_the_script_is_what_nsupdate_takes(lab: Lab, tmp_path: Path) -> None:
    """Run by hand as it is printed; of its two messages the second finds nothing to do."""
    name = route(lab, ttl=9)
    (tmp_path / "upd.key").write_text(f'key "{KEY}" {{ algorithm hmac-sha256; secret "{lab.secret}"; }};\n')
    first, second = name.script(TO_WEST)
    for line in (first, second):
        subprocess.run(["sh", "-c", line], cwd=tmp_path, check=True, timeout=60)
        assert ask(lab.primary) == [f"9 {WEST}"]
    assert lab.secret not in first + second


def test_secondaries_and_caches_are_confirmed(lab: Lab) -> None:
    """A secondary has it at its NOTIFY, a cache when what it keeps has expired."""
    put(lab, f"2 A {EAST}")
    await_same(lab)
    name = route(lab, ttl=1, resolvers=(lab.secondary, lab.cache))
    name.facts()
    name.apply(TO_WEST)
    assert [ask(server)[0].split()[1] for server in (lab.primary, lab.secondary, lab.cache)] == [WEST] * 3
    assert name.facts().leads_to == ("west",)
    assert len({endpoint.proxy for endpoint in name.facts().endpoints}) == 3


def test_a_cache_that_still_has_the_old_answer_splits_the_route(bind: Lab) -> None:
    put(bind, f"10 A {EAST}")
    watched = route(bind, resolvers=(bind.cache,))
    CLOCK.sleep(1.1)  # what the cache has from other tests expires
    assert watched.facts().leads_to == ("east",)
    route(bind).apply(TO_WEST)
    assert watched.facts().leads_to == ("east", "west")
    bind.cache.kill()


def test_old_answers_are_waited_out_where_asked(bind: Lab) -> None:
    for waits, ttl_s, at_least_s, at_most_s in ((True, 1, 0.95, 60.0), (False, 15, 0.0, 14.0)):
        put(bind, f"{ttl_s} A {EAST}")
        name = route(bind, wait_for_old_answers=waits)
        name.facts()
        began = CLOCK.monotonic_s()
        name.apply(TO_WEST)
        assert at_least_s <= CLOCK.monotonic_s() - began < at_most_s


def test_a_resolver_that_keeps_the_old_answer_fails_the_flip_and_the_way_back_is_open(bind: Lab) -> None:
    """A secondary that is cut off from its primary: here, of another zone file."""
    with tempfile.TemporaryDirectory(prefix="dns-") as folder, name_servers(Path(folder), "knot") as other:
        put(other, f"1 A {EAST}")
        await_same(bind)
        name = route(bind, resolvers=(bind.secondary, other.primary), timeout=1.0)
        seen = name.facts()
        with pytest.raises(StatementFailed, match=rf"{other.primary.place} still answers {EAST} for {NAME}, not {WEST}; the TTL was 1s"):
            name.apply(TO_WEST)
        assert name.facts().leads_to == ("east", "west")
        name.apply(RestoreRoute(route=ROUTE, seen=seen))
        assert name.facts() == seen


@pytest.mark.parametrize("waits", [{"wait_for_old_answers": True}, {"resolvers": True}], ids=["waits", "has resolvers"])
def test_a_ttl_that_can_not_be_waited_out_is_found_before_anything_is_changed(bind: Lab, waits: dict[str, object]) -> None:
    put(bind, f"3600 A {EAST}")
    given: dict[str, Any] = waits if "resolvers" not in waits else {"resolvers": (bind.secondary,)}
    with pytest.raises(StatementFailed, match=r"has a TTL of 3600s: old answers are waited for 15s") as failed:
        route(bind, **given).facts()
    assert failed.value.hint == "set its TTL to 5 in the zone, and begin 3600s later"
    assert route(bind).facts().leads_to == ("east",)


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"secret": "d3Jvbmc="}, NotPermitted, r"does not accept key upd\.: the signature is wrong \(BADSIG\)"),
        ({"key": "nobody"}, NotPermitted, r"does not accept key nobody\.: it knows no key of that name and algorithm \(BADKEY\)"),
        ({"key": "other"}, NotPermitted, r"refuses updates of writer\.db\.test\. by key other\. \(REFUSED\)"),
        ({"zone": "example.test"}, NotPermitted, r"refuses updates of writer\.example\.test\. by key upd\. \(NOTAUTH\)"),
    ],
    ids=["wrong secret", "unknown key", "key without a right", "another's zone"],
)
def test_a_key_that_may_not_is_refused_by_name_and_nothing_changes(
    bind: Lab, change: dict[str, str], kind: type[DriverError], words: str
) -> None:
    name = route(bind, **change)  # type: ignore[arg-type]
    calls: list[Callable[[], object]] = [lambda: name.apply(TO_WEST)]
    calls += [] if "zone" in change else [name.warm_up]  # found before the fence
    for call in calls:
        with pytest.raises(kind, match=words) as failed:
            call()
        assert failed.value.hint
        assert bind.secret not in failed.value.message + failed.value.hint
    assert ask(bind.primary) == [f"1 {EAST}"]


def test_a_secret_that_is_no_key_is_not_repeated(bind: Lab) -> None:
    name = route(bind, secret="hunter2 is no base64!")
    with pytest.raises(NotPermitted, match=r"the secret of TSIG key upd\. is not base64") as failed:
        name.facts()  # so a plan shows it
    with pytest.raises(UsageError, match=r"the secret of TSIG key upd\. is not base64") as refused:
        name.warm_up()
    assert refused.value.__cause__ is None
    assert "hunter2" not in f"{failed.value.message}{failed.value.hint}{refused.value.message}{refused.value.hint}"


def test_a_server_that_does_not_own_the_zone_is_no_primary(bind: Lab) -> None:
    with pytest.raises(StatementFailed, match=r"does not own zone db\.test\.: its answer is not authoritative"):
        route(bind, server=bind.cache.host, port=bind.cache.port).facts()


def test_a_resolver_without_an_answer_is_no_healthy_one(bind: Lab) -> None:
    bind.primary.kill()
    CLOCK.sleep(1.1)
    with pytest.raises(DriverError, match=rf"{bind.primary.place} can't be reached: Connection refused"):
        route(bind, resolvers=(bind.cache,)).facts()
    bind.primary.start()
    bind.secondary.kill()
    with pytest.raises(Unreachable, match=rf"{bind.secondary.place}: no answer within 1s"):
        route(bind, resolvers=(bind.secondary,), timeout=1.0).facts()


def test_a_primary_that_is_gone_before_the_flip_has_the_record_as_it_was_seen(bind: Lab) -> None:
    name = route(bind)
    seen = name.facts()
    bind.primary.kill()
    with pytest.raises(Unreachable, match="Connection refused"):
        name.facts()  # nothing was tried yet: not known is not healthy
    assert name.facts() == seen  # that look has failed its step; the way back of other routes is not to fail for it
    with pytest.raises(Unreachable, match=r"can't be reached: Connection refused"):
        name.apply(TO_WEST)
    assert name.facts() == seen  # nothing was sent: so the way back has nothing to do
    with pytest.raises(Unreachable):
        route(bind).facts()  # another process did not see it
    bind.primary.start()
    name.apply(TO_WEST)
    bind.primary.kill()
    with pytest.raises(Unreachable):
        name.facts()  # it went through: nothing is taken from memory any more


def test_a_primary_that_hangs_in_the_flip_leaves_its_outcome_unknown_until_it_answers(bind: Lab) -> None:
    name = route(bind, timeout=1.0)
    seen = name.facts()
    with ExitStack() as stack:
        stack.enter_context(bind.primary.hung())
        with pytest.raises(OutcomeUnknown, match=rf"no answer within 1s to an update of {NAME}") as unknown:
            name.apply(TO_WEST)
        assert unknown.value.hint == "it may still have taken it: look"
        with pytest.raises(Unreachable):
            name.facts()
    deadline = Deadline.after(CLOCK, 60)
    while name.facts().leads_to != ("west",):  # it lands late, as it may
        assert not deadline.is_over()
        CLOCK.sleep(0.02)
    name.apply(RestoreRoute(route=ROUTE, seen=seen))
    assert ask(bind.primary) == [f"1 {EAST}"]


def test_an_update_outlives_the_server_that_took_it(lab: Lab) -> None:
    """Both makes keep a journal: what was acknowledged is there after a kill."""
    name = route(lab)
    name.apply(TO_WEST)
    lab.primary.kill()
    lab.primary.start()
    assert name.facts().leads_to == ("west",)
