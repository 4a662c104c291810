"""`interlock sandbox up --like TOPOLOGY`: a test bed like another pair, which is only looked at."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from interlock.audit.facts import Rehearsal, RehearsalKind
from interlock.audit.rehearsals import keep_rehearsal
from interlock.bootstrap import Wiring, read_topology
from interlock.cli.context import Context
from interlock.cli.rehearsal import carry_out, wired_to
from interlock.clock import SystemClock
from interlock.dataclass import dataclass
from interlock.playbook.find import shipped_folder
from interlock.sandbox import pair
from interlock.sandbox.kinds import kind_named
from interlock.sandbox.likeness.build import build, is_same_release, not_alike, password_file, sides_of
from interlock.sandbox.likeness.nearest import nearest
from interlock.sandbox.likeness.original import Original, read_original
from interlock.sandbox.places import Sandbox

_LONGEST_NAME = 31


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """A sandbox made like the pair called `like`. `not_alike` says in a sentence each what is otherwise; `passwords` names the file of each
    account of a segment.
    """

    sandbox: Sandbox
    like: str
    not_alike: tuple[str, ...]
    passwords: dict[str, str]


def up_like(context: Context, directory: Path, topology: Path, *, flavor: str | None, name: str | None, replicas: int) -> Likeness:
    """Read the pair, start one like it, and compare the two. What a failed start had made is removed.

    UsageError: no such servers can be had. DriverError: a master of the pair does not answer.
    """
    clock = SystemClock()
    wiring = Wiring(read_topology(topology), context.store_url())
    context.redact = wiring.secrets.redact
    try:
        original = read_original(wiring.world, clock)
        beside = wiring.folder
    finally:
        wiring.close()
    first = original.sides[0]
    kind = kind_named(flavor) if flavor is not None else nearest(first.flavor, first.version)
    named = name or f"{original.topology.name[: _LONGEST_NAME - len('-like')]}-like"
    sandbox, failed = build(directory, original, kind=kind, name=named, beside=beside, clock=clock, more_replicas=replicas)
    with contextlib.ExitStack() as on_failure:
        on_failure.callback(pair.down, directory)
        failed += tuple(said for segment, owner in original.owners.items() for said in _own(context, sandbox, original, segment, owner))
        with wired_to(context, sandbox, own_store=True) as made:
            copy = read_original(made.world, clock)
        said = _once((*failed, *not_alike(original, copy)))
        kept = Rehearsal(
            kind=RehearsalKind.TEST_BED,
            at=clock.wall(),
            good=all(is_same_release(*sides) for sides in sides_of(original, copy)),
            says=f"a sandbox like it was made in {sandbox.directory}, with {len(said)} things that are not alike",
        )
        keep_rehearsal(kept, beside, original.topology.name)
        on_failure.pop_all()
    return Likeness(sandbox=sandbox, like=original.topology.name, not_alike=said, passwords=_files(sandbox, original))


def _once(sentences: Iterable[str]) -> tuple[str, ...]:
    """Each once: that something is not there is not said again where it was said why."""
    told = tuple(dict.fromkeys(sentences))
    return tuple(one for one in told if not any(other.startswith(f"{one}: ") for other in told))


def _own(context: Context, sandbox: Sandbox, original: Original, segment: str, owner: str) -> tuple[str, ...]:
    """Close it where its home is not, then move it where it was moved there. A sentence if that did not succeed."""
    home = original.topology.segments[segment].owner
    runs = [("adopt-segment", {"segment": segment, "owner": home})]
    if owner != home:
        runs.append(("move-segment", {"segment": segment, "to": owner}))
    for playbook, inputs in runs:
        report = carry_out(context, sandbox, shipped_folder() / f"{playbook}.yaml", inputs, own_store=True)
        if report.outcome != "succeeded":
            return (f"segment {segment}: {playbook} did not succeed: {'; '.join(problem.what for problem in report.problems)}",)
    return ()


def _files(sandbox: Sandbox, original: Original) -> dict[str, str]:
    accounts = (account for spec in original.topology.segments.values() for account in spec.accounts)
    return {account: str(password_file(sandbox, account)) for account in accounts}
