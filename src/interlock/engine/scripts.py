"""The words of effects, as they are told before they are sent."""

from __future__ import annotations

from collections.abc import Sequence

from interlock.errors import StatementFailed
from interlock.model.comparing import BeginComparison, StopComparison
from interlock.model.effects import (
    CallHttp,
    ClearMark,
    CloseSegment,
    CopyLogs,
    Effect,
    EraseNote,
    Fence,
    FenceOutside,
    FencingEffect,
    GuardTables,
    Hold,
    KillSessions,
    NoteOwner,
    Open,
    OpenSegment,
    PointTo,
    Release,
    ReleaseOutside,
    Repoint,
    RestoreRoute,
    RunCommand,
    RunSql,
    SendHeartbeat,
    SetEventScheduler,
    SetMark,
    SetSemiSync,
    StartApplier,
    StartReceiver,
    StopApplier,
    StopReceiver,
    WriteNote,
)
from interlock.model.mending import MendRows, TakeRowsBack
from interlock.model.returning import BeginCopy, EndReturn, KeepLosses, SetHeld, StopCopy, TakeBack
from interlock.model.tables import AlterTable
from interlock.ports import FenceAgent, World


def scripts(world: World, effects: Sequence[Effect]) -> tuple[str, ...]:
    """The words of the effects, each line with its target: `west: SET GLOBAL read_only=0`."""
    lines: list[str] = []
    for effect in effects:
        match effect:
            case Fence() | Open() | SetEventScheduler() | KillSessions() | RunSql() | WriteNote() | EraseNote():
                lines += [f"{effect.server}: {line}" for line in world.server(effect.server).script(effect)]
            case Repoint() | StopApplier() | StartApplier() | StopReceiver() | StartReceiver() | SendHeartbeat() | SetSemiSync():
                lines += [f"{effect.server}: {line}" for line in world.server(effect.server).script(effect)]
            case CloseSegment() | OpenSegment() | NoteOwner() | GuardTables():
                lines += [f"{effect.server}: {line}" for line in world.server(effect.server).segments.script(effect)]
            case AlterTable():
                lines += [f"{effect.server}: {line}" for line in world.server(effect.server).tables.script(effect)]
            case FenceOutside() | ReleaseOutside():
                lines += [f"{effect.agent}: {line}" for line in agent_of(world, effect).script(effect)]
            case SetMark() | ClearMark():
                lines += world.marks.script(effect)
            case KeepLosses() | TakeBack() | BeginCopy() | StopCopy() | SetHeld() | EndReturn():
                lines += world.returning(effect.cluster).script(effect)
            case BeginComparison() | StopComparison():
                lines += world.comparer(effect.cluster).script(effect)
            case MendRows() | TakeRowsBack():
                lines += [f"{effect.server}: {line}" for line in world.mender.script(effect)]
            case Hold() | Release() | PointTo() | RestoreRoute():
                lines += [f"{effect.route}: {line}" for line in world.route(effect.route).script(effect)]
            case RunCommand() | CallHttp() | CopyLogs():
                lines += world.outside.script(effect)
    return tuple(lines)


def agent_of(world: World, effect: FencingEffect) -> FenceAgent:
    """StatementFailed if the topology has it no more."""
    for agent in world.fence_agents(effect.cluster):
        if agent.name == effect.agent:
            return agent
    raise StatementFailed(
        f"{effect.cluster} has no way of fencing named {effect.agent}", hint="give the topology file that the run began with"
    )
