"""The command route, with real programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.clock import SystemClock
from interlock.errors import StatementFailed, UsageError
from interlock.hosts.local import Here
from interlock.model.effects import Hold, PointTo, Release, RestoreRoute
from interlock.model.topology import Access, Account, ClusterName, ClusterSpec, RouteName, RouteSpec, ServerName, ServerSpec, Topology
from interlock.ports import Route
from interlock.routes.parts import RouteParts
from interlock.routes.registry import make_route

EAST, WEST, ROUTE = ClusterName("east"), ClusterName("west"), RouteName("hooks")
CLOCK = SystemClock()
ACCESS = Access(account=Account(user="u", password=None), tls=None)


def _cluster(name: ClusterName) -> ClusterSpec:
    return ClusterSpec(name=name, master=ServerSpec(name=ServerName(name), cluster=name, host=name, port=1, access=ACCESS))


PARTS = RouteParts(
    topology=Topology(name="shop", clusters={name: _cluster(name) for name in (EAST, WEST)}), outside=Here(CLOCK), clock=CLOCK
)


def route(**settings: object) -> Route:
    return make_route(RouteSpec(name=ROUTE, kind="command", settings=settings), PARTS)


def hooks(folder: Path, **more: object) -> Route:
    """A route whose place is a file, and whose hold is another."""
    folder.joinpath("place").write_text("east\n")
    return route(
        flip=("sh", "-c", f'echo "$1" >{folder}/place', "flip", "{to}"),
        show=("cat", f"{folder}/place"),
        hold=("touch", f"{folder}/held"),
        release=("rm", "-f", f"{folder}/held"),
        hold_limit=20.0,
        **more,
    )


def test_it_flips_shows_holds_and_releases(tmp_path: Path) -> None:
    made = hooks(tmp_path)
    assert made.facts().leads_to == (EAST,)
    made.apply(Hold(route=ROUTE))
    assert tmp_path.joinpath("held").exists()
    assert made.facts().holding
    made.apply(PointTo(route=ROUTE, cluster=WEST))
    assert made.facts().leads_to == (WEST,)
    assert not tmp_path.joinpath("held").exists()
    assert not made.facts().holding


def test_undo_flips_to_the_cluster_that_was_seen(tmp_path: Path) -> None:
    made = hooks(tmp_path)
    seen = made.facts()
    made.apply(PointTo(route=ROUTE, cluster=WEST))
    made.apply(RestoreRoute(route=ROUTE, seen=seen))
    assert made.facts() == seen


def test_without_show_nothing_is_proved_and_undo_does_not_guess() -> None:
    made = route(flip=("true", "{to}"))
    facts = made.facts()
    assert (facts.provable, facts.leads_to, facts.hold_s) == (False, (), None)
    assert made.script(RestoreRoute(route=ROUTE, seen=facts)) == ()
    assert made.script(Hold(route=ROUTE)) == made.script(Release(route=ROUTE)) == ()


def test_plan_prints_the_words_with_the_cluster_in_them() -> None:
    made = route(flip=("./flip", "--to={to}", "a b"), release=("./let go",), hold=("./hold",))
    assert made.script(PointTo(route=ROUTE, cluster=WEST)) == ("./flip --to=west 'a b'", "'./let go'")


@pytest.mark.parametrize("printed", ["", "north", "east west"], ids=["nothing", "unknown", "two"])
def test_show_must_print_one_cluster(printed: str) -> None:
    with pytest.raises(StatementFailed, match="is no cluster") as failed:
        route(flip=("true", "{to}"), show=("echo", printed)).facts()
    assert failed.value.hint == "it must print one of: east, west"


def test_a_hook_that_fails_is_a_failed_statement_with_its_words() -> None:
    made = route(flip=("sh", "-c", "echo no such pool >&2; exit 4", "{to}"))
    with pytest.raises(StatementFailed, match="sh ended with 4, allowed: 0; it said: no such pool"):
        made.apply(PointTo(route=ROUTE, cluster=WEST))


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"flip": ("./flip",)}, "has no {to}"), ({"flip": ("x", "{to}"), "hold": ("y",)}, "come together")],
    ids=["no-target", "hold-without-release"],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        route(**settings)


def test_an_unknown_type_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="'haproxi'") as unknown:
        make_route(RouteSpec(name=ROUTE, kind="haproxi", settings={}), PARTS)
    assert unknown.value.hint == "did you mean haproxy?"
