"""`command`, `ssh`, `http` and `sql`: a team's own checks and effects, without Python.

An effect may say how to look at it (`show`, and the regular expression `done` that its answer matches once it holds). With that, it is
idempotent: looked at before and after, and never repeated blindly. Without, a success of the effect itself is taken for done, and after
a crash in the middle the engine can only undo it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from interlock.actions.action import describe, param
from interlock.dataclass import dataclass
from interlock.documents.fields import Kind
from interlock.model.effects import CallHttp, Effect, RunCommand, RunSql
from interlock.model.facts import CommandResult, HttpResult
from interlock.model.topology import ClusterName, ServerName
from interlock.model.verdict import Act, Done, Refuse, Verdict
from interlock.playbook.catalogue import Verb
from interlock.ports import World

_SHOWN = 200
"""Characters of an answer that are repeated in a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a look was answered; None when there is no way to look."""

    text: str | None


def judge(answer: str, pattern: str, subject: str) -> Verdict:
    """A check's verdict: the answer, without white space around it, contains a match of the regular expression."""
    shown = answer.strip()[:_SHOWN]
    if re.search(pattern, answer.strip()):
        return Done(f"{subject}: {shown or 'nothing printed'}")
    return Refuse(f"{subject} answered {shown!r}, which does not match {pattern!r}")


def judge_effect(answer: Answer, done: str, subject: str) -> Verdict:
    """An effect's verdict: it holds already, or it is to be carried out."""
    if answer.text is None:
        return Act(f"{subject}: it can't be looked at", once=True)
    if re.search(done, answer.text.strip()):
        return Done(f"{subject}: {answer.text.strip()[:_SHOWN]}")
    return Act(f"{subject} is at {answer.text.strip()[:_SHOWN]!r}")


def is_as_before(before: Answer, now: Answer | None, done: str) -> bool:
    """Nothing is to be taken back: it held before the run touched it, or it is seen to be as it was."""
    if before.text is None:
        return False
    return bool(re.search(done, before.text.strip())) or (now is not None and now.text == before.text)


def _text_of(result: CommandResult | HttpResult) -> str:
    return result.stdout if isinstance(result, CommandResult) else result.body


# -- commands, here or by SSH --


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandCheck:
    """Run a program that changes nothing; its exit code, and its output if `matches` is given, decide."""

    run: tuple[str, ...] = param(Kind.ARGV, "the program and its arguments; no shell")
    within_s: float = param(Kind.DURATION, "it is ended after this time", default=10.0)
    exits: tuple[int, ...] = param(Kind.INTEGERS, "exit codes that pass", default=(0,))
    matches: str = param(Kind.TEXT, "a regular expression to be found in what it prints", default="")
    env: Mapping[str, str] = param(Kind.MAPPING, "environment variables to add", default={})
    host: ClusterName | None = param(Kind.CLUSTER, "run it on this cluster's host by SSH", default=None)

    def look(self, world: World, /) -> Answer:
        effect = RunCommand(argv=self.run, within_s=self.within_s, exits=self.exits, env=self.env, host=self.host)
        return Answer(text=_text_of(world.outside.run(effect)))

    def decide(self, seen: Answer, /) -> Verdict:
        return judge(seen.text or "", self.matches, " ".join(self.run))

    def outputs(self, seen: Answer, /) -> Mapping[str, object]:
        return {"stdout": (seen.text or "").strip()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Run a program that changes something; `undo` takes it back, `show` and `done` tell whether it holds."""

    run: tuple[str, ...] = param(Kind.ARGV, "the program and its arguments; no shell")
    undo_: tuple[str, ...] = param(
        Kind.ARGV, "the program that takes it back; must do no harm if there is nothing to take back", default=()
    )
    show: tuple[str, ...] = param(Kind.ARGV, "a program that prints how it is now and changes nothing", default=())
    done: str = param(Kind.TEXT, "a regular expression to be found in what `show` prints once it holds", default="")
    within_s: float = param(Kind.DURATION, "each program is ended after this time", default=10.0)
    exits: tuple[int, ...] = param(Kind.INTEGERS, "exit codes that mean success", default=(0,))
    env: Mapping[str, str] = param(Kind.MAPPING, "environment variables to add", default={})
    host: ClusterName | None = param(Kind.CLUSTER, "run them on this cluster's host by SSH", default=None)

    def look(self, world: World, /) -> Answer:
        return Answer(text=_text_of(world.outside.run(self._run(self.show))) if self.show else None)

    def decide(self, seen: Answer, /) -> Verdict:
        return judge_effect(seen, self.done, " ".join(self.run))

    def effects(self, seen: Answer, /) -> tuple[Effect, ...]:
        del seen
        return (self._run(self.run),)

    def undo(self, before: Answer, now: Answer | None, /) -> tuple[Effect, ...]:
        if not self.undo_ or is_as_before(before, now, self.done):
            return ()
        return (self._run(self.undo_),)

    def outputs(self, seen: Answer, /) -> Mapping[str, object]:
        return {"shown": (seen.text or "").strip()}

    def _run(self, argv: tuple[str, ...]) -> RunCommand:
        return RunCommand(argv=argv, within_s=self.within_s, exits=self.exits, env=self.env, host=self.host)


@dataclass(frozen=True, slots=True, kw_only=True)
class SshCheck(CommandCheck):
    """Run a program on a cluster's host by SSH that changes nothing; exit code and output decide."""

    host: ClusterName | None = param(Kind.CLUSTER, "the cluster on whose host it runs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ssh(Command):
    """Run a program on a cluster's host by SSH that changes something; `undo`, `show` and `done` as for a command here."""

    host: ClusterName | None = param(Kind.CLUSTER, "the cluster on whose host it runs")


# -- HTTP --


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCheck:
    """Send a request that changes nothing; the status, and the body if `matches` is given, decide."""

    url: str = param(Kind.TEXT, "where to")
    method: str = param(Kind.TEXT, "the method", default="GET")
    within_s: float = param(Kind.DURATION, "how long it may take", default=5.0)
    statuses: tuple[int, ...] = param(Kind.INTEGERS, "statuses that pass", default=(200,))
    matches: str = param(Kind.TEXT, "a regular expression to be found in the body", default="")
    headers: Mapping[str, str] = param(Kind.MAPPING, "headers to send", default={})

    def look(self, world: World, /) -> Answer:
        effect = CallHttp(method=self.method, url=self.url, within_s=self.within_s, statuses=self.statuses, headers=self.headers)
        return Answer(text=_text_of(world.outside.run(effect)))

    def decide(self, seen: Answer, /) -> Verdict:
        return judge(seen.text or "", self.matches, f"{self.method} {self.url}")

    def outputs(self, seen: Answer, /) -> Mapping[str, object]:
        return {"body": seen.text or ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """Send a request that changes something; the undo request takes it back, `show` and `done` tell whether it holds."""

    url: str = param(Kind.TEXT, "where to")
    method: str = param(Kind.TEXT, "the method", default="POST")
    body: str = param(Kind.TEXT, "what to send", default="")
    headers: Mapping[str, str] = param(Kind.MAPPING, "headers to send", default={})
    statuses: tuple[int, ...] = param(Kind.INTEGERS, "statuses that mean success", default=(200, 201, 202, 204))
    within_s: float = param(Kind.DURATION, "how long each request may take", default=5.0)
    undo_url: str = param(Kind.TEXT, "where the request goes that takes it back", default="")
    undo_method: str = param(Kind.TEXT, "its method", default="POST")
    undo_body: str = param(Kind.TEXT, "its body", default="")
    show: str = param(Kind.TEXT, "a URL whose GET answers how it is now", default="")
    done: str = param(Kind.TEXT, "a regular expression to be found in that answer once it holds", default="")

    def look(self, world: World, /) -> Answer:
        if not self.show:
            return Answer(text=None)
        show = CallHttp(method="GET", url=self.show, within_s=self.within_s, headers=self.headers, statuses=(200,))
        return Answer(text=_text_of(world.outside.run(show)))

    def decide(self, seen: Answer, /) -> Verdict:
        return judge_effect(seen, self.done, f"{self.method} {self.url}")

    def effects(self, seen: Answer, /) -> tuple[Effect, ...]:
        del seen
        return (self._call(self.method, self.url, self.body),)

    def undo(self, before: Answer, now: Answer | None, /) -> tuple[Effect, ...]:
        if not self.undo_url or is_as_before(before, now, self.done):
            return ()
        return (self._call(self.undo_method, self.undo_url, self.undo_body),)

    def outputs(self, seen: Answer, /) -> Mapping[str, object]:
        return {"shown": seen.text or ""}

    def _call(self, method: str, url: str, body: str) -> CallHttp:
        return CallHttp(method=method, url=url, body=body, within_s=self.within_s, headers=self.headers, statuses=self.statuses)


# -- SQL --


def _read(world: World, server: ServerName, query: str, within_s: float) -> str:
    """The first column of the first row, as text; empty if there is no row. In a transaction that can't write."""
    effect = RunSql(server=server, statements=("START TRANSACTION READ ONLY", query), within_s=within_s)
    rows = world.server(server).apply(effect, mark="look")["rows"]
    first = next(iter(rows), None) if isinstance(rows, list | tuple) else None
    cell = next(iter(first.values()), None) if isinstance(first, Mapping) else None
    return "" if cell is None else str(cell)


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlCheck:
    """Ask a server a question; the first column of the first row decides. It runs in a read-only transaction."""

    server: ServerName = param(Kind.SERVER, "the server to ask")
    query: str = param(Kind.TEXT, "one SELECT")
    matches: str = param(Kind.TEXT, "a regular expression to be found in the answer")
    within_s: float = param(Kind.DURATION, "the server ends it after this time", default=5.0)

    def look(self, world: World, /) -> Answer:
        return Answer(text=_read(world, self.server, self.query, self.within_s))

    def decide(self, seen: Answer, /) -> Verdict:
        return judge(seen.text or "", self.matches, f"{self.query} on {self.server}")

    def outputs(self, seen: Answer, /) -> Mapping[str, object]:
        return {"value": seen.text or ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sql:
    """Run statements that change something; `undo` takes them back, `show` and `done` tell whether they hold."""

    server: ServerName = param(Kind.SERVER, "the server to run them on")
    statements: tuple[str, ...] = param(Kind.TEXTS, "the statements, one after the other on one connection")
    undo_: tuple[str, ...] = param(Kind.TEXTS, "the statements that take them back", default=())
    show: str = param(Kind.TEXT, "one SELECT that tells how it is now", default="")
    done: str = param(Kind.TEXT, "a regular expression to be found in its answer once it holds", default="")
    within_s: float = param(Kind.DURATION, "the server ends each statement after this time", default=10.0)

    def look(self, world: World, /) -> Answer:
        return Answer(text=_read(world, self.server, self.show, self.within_s) if self.show else None)

    def decide(self, seen: Answer, /) -> Verdict:
        return judge_effect(seen, self.done, f"{self.statements[0][:_SHOWN]} on {self.server}")

    def effects(self, seen: Answer, /) -> tuple[Effect, ...]:
        del seen
        return (RunSql(server=self.server, statements=self.statements, within_s=self.within_s),)

    def undo(self, before: Answer, now: Answer | None, /) -> tuple[Effect, ...]:
        if not self.undo_ or is_as_before(before, now, self.done):
            return ()
        return (RunSql(server=self.server, statements=self.undo_, within_s=self.within_s),)

    def outputs(self, seen: Answer, /) -> Mapping[str, object]:
        return {"shown": (seen.text or "").strip()}


SPECS = (
    describe(CommandCheck, "command", Verb.CHECK, outputs={"stdout": Kind.TEXT}),
    describe(Command, "command", Verb.DO, outputs={"shown": Kind.TEXT}),
    describe(SshCheck, "ssh", Verb.CHECK, outputs={"stdout": Kind.TEXT}),
    describe(Ssh, "ssh", Verb.DO, outputs={"shown": Kind.TEXT}),
    describe(HttpCheck, "http", Verb.CHECK, outputs={"body": Kind.TEXT}),
    describe(Http, "http", Verb.DO, outputs={"shown": Kind.TEXT}),
    describe(SqlCheck, "sql", Verb.CHECK, outputs={"value": Kind.TEXT}),
    describe(Sql, "sql", Verb.DO, outputs={"shown": Kind.TEXT}),
)
