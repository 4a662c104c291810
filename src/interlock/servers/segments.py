"""The segments of an active/active pair at one MariaDB or MySQL server: who can write one there; keeping them out, letting them in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from interlock.clock import Deadline
from interlock.dataclass import dataclass
from interlock.errors import BoundReached, NotPermitted, StatementFailed
from interlock.model.effects import CloseSegment, NoteOwner, OpenSegment, SegmentEffect
from interlock.model.position import MySQLPosition, Position
from interlock.model.segments import AccountState, SegmentFacts, SegmentNote, SegmentSurroundings
from interlock.model.topology import ClusterName, SegmentSpec, Tenants
from interlock.servers import canary, mysql_facts, segment_rights, segment_words, tenant_guards
from interlock.servers.accounts import AccountName
from interlock.servers.dialect import Dialect
from interlock.servers.effects import all_marked
from interlock.servers.orphans import kill_and_prove_gone
from interlock.servers.pool import Pool, Purpose
from interlock.servers.quoting import name, text
from interlock.servers.segment_rights import Grants
from interlock.servers.session import READ_BOUND_S, Session, text_of

_ACCOUNTS = {
    "mariadb": "SELECT User AS user, Host AS host, JSON_VALUE(Priv, '$.account_locked') IN ('1', 'true') AS locked, "
    "JSON_VALUE(Priv, '$.is_role') IN ('1', 'true') AS is_role FROM mysql.global_priv",
    "mysql": "SELECT user AS user, host AS host, account_locked = 'Y' AS locked, 0 AS is_role FROM mysql.user",
}
"""Every account and role. MySQL's roles are accounts that are locked."""
_SCHEMAS = "SELECT schema_name AS name FROM information_schema.schemata"
_NO_GRANT = frozenset({1141})
_DEADLOCK = frozenset({1213})
_ARRIVING = "unauthenticated user"
_LOOK_EVERY_S = 0.01
_PUBLIC: AccountName = ("PUBLIC", "")


@dataclass(frozen=True, slots=True)
class _Known:
    """Every account of a server: whether it is locked. Roles of MariaDB are apart."""

    locked: dict[AccountName, bool]
    roles: frozenset[AccountName]


class SqlSegments:
    """`ports.Segments` over a server's connections. StatementFailed, by name, for a flavor that has no way to close one."""

    def __init__(self, pool: Pool, dialect: Callable[[], Dialect], position: Callable[[], Position]) -> None:
        self._pool = pool
        self._dialect = dialect
        self._position = position

    def facts(self, spec: SegmentSpec, /) -> SegmentFacts:
        """First who can log in and what they may do, then who is there, then the position: what was written is part of it."""
        if spec.tenants is not None:
            return self._of_tenants(spec, spec.tenants)
        known = self._accounts()
        wanted = [segment_words.account_of(account) for account in spec.accounts]
        there = [account for account in wanted if account in known.locked]
        grants = self._grants(there)
        roles = self._roles(grants.values())
        schemas = {text_of(row["name"]) for row in self._pool.rows(_SCHEMAS)}
        users = {user for user, _ in wanted}
        beside = [each for each in schemas if each not in spec.schemas]
        unclear = [line for one in there for line in segment_rights.unclear(_written(one), grants[one], spec.schemas, beside, roles)]
        unclear += [
            f"sessions of {_written(one)} can't be told from those of segment {spec.name}"
            for one, locked in known.locked.items()
            if one[0] in users and one not in wanted and not locked
        ]
        absent = [f"account {_written(one)}" for one in wanted if one not in known.locked]
        absent += [f"schema {each}" for each in spec.schemas if each not in schemas]
        return SegmentFacts(
            server=self._pool.spec.name,
            segment=spec.name,
            accounts=tuple(
                AccountState(account=_written(one), locked=known.locked[one], rights=segment_rights.rights_on(grants[one], spec.schemas))
                for one in there
            ),
            note=self._note(spec.name),
            sessions=tuple(_sessions(self._pool.session(Purpose.WITNESS), users)),
            prepared=self._seen_prepared(),
            missing=tuple(absent),
            unclear=tuple(unclear),
            position=self._position(),
        )

    def surroundings(self, spec: SegmentSpec, /) -> SegmentSurroundings:
        """Accounts that can't log in write nothing; Interlock's own, and those that the topology trusts, are left out."""
        if spec.tenants is not None:
            return self._around_tenants(spec, spec.tenants)
        known = self._accounts()
        access = self._pool.spec.access
        ours = {access.account.user, access.canary.user if access.canary is not None else access.account.user}
        left_out = {*spec.accounts, *spec.trusted}
        others = [one for one, locked in known.locked.items() if not locked and one[0] not in ours and _written(one) not in left_out]
        grants = self._grants([*others, *({_PUBLIC} & known.roles)])
        roles = self._roles(grants.values())
        lacks = self._lacks(spec)
        if not lacks:
            self._pool.ready(Purpose.UNLOGGED)  # so that none is made while clients wait
        return SegmentSurroundings(
            server=self._pool.spec.name,
            writers=tuple(sorted(_written(one) for one, given in grants.items() if _can_write(given, roles, spec.schemas))),
            events=tuple(
                f"{text_of(row['db'])}.{text_of(row['name'])} of {text_of(row['definer'])}"
                for row in self._dialect().events(self._pool)
                if text_of(row["db"]) in spec.schemas and text_of(row["definer"]) not in spec.accounts
            ),
            lacks=lacks,
        )

    def script(self, effect: SegmentEffect, /) -> tuple[str, ...]:
        return segment_words.script(effect)

    def apply(self, effect: SegmentEffect, /, mark: str) -> None:
        deadline = Deadline.after(self._pool.clock, effect.within_s)
        statements = all_marked(segment_words.statements(effect), mark)
        match effect:
            case CloseSegment(accounts=accounts) | OpenSegment(accounts=accounts) if any(each.guard for each in accounts):
                self._turn_guard(statements, effect.segment, deadline)
            case NoteOwner():
                if not self._send(statements, effect.within_s, harmless=canary.MISSING) and effect.note is not None:
                    self._send(all_marked((*segment_words.MAKE_TABLE, *segment_words.statements(effect)), mark), effect.within_s)
            case _:
                self._send(statements, effect.within_s)
        if isinstance(effect, CloseSegment) and (users := segment_words.users_of(effect.accounts)):
            self._end_sessions(users, deadline, mark)
        if isinstance(effect, CloseSegment):
            self._await_committing(deadline)
            self._await_prepared(deadline)

    # -- parts

    def _of_tenants(self, spec: SegmentSpec, tenants: Tenants) -> SegmentFacts:
        """Accounts and sessions are as they were: whoever is not let through by the guard is told so with each row."""
        self._see_closable()
        return SegmentFacts(
            server=self._pool.spec.name,
            segment=spec.name,
            accounts=(tenant_guards.state(self._pool, spec.name, tenants),),
            note=self._note(spec.name),
            missing=tenant_guards.missing(self._pool, tenants),
            unguarded=tenant_guards.unguarded(self._pool, spec.name, tenants),
            prepared=self._seen_prepared(),
            position=self._position(),
        )

    def _around_tenants(self, spec: SegmentSpec, tenants: Tenants) -> SegmentSurroundings:
        account, own, everywhere = self._own_rights()
        made = not tenant_guards.unguarded(self._pool, spec.name, tenants)
        its = segment_words.sql_of(account)
        self._pool.ready(Purpose.UNLOGGED)  # as in `surroundings`
        return SegmentSurroundings(
            server=self._pool.spec.name,
            fires_wrongly=tenant_guards.what_fires_wrongly(self._pool, tenants),
            lacks=tenant_guards.lacks(self._pool, own, its, tenants, everywhere=everywhere, made=made),
        )

    def _turn_guard(self, statements: Sequence[str], segment: str, deadline: Deadline) -> None:
        """As often as it takes: one who was let through may wait for a row of another one, who waits for the guard behind us. Of the three
        InnoDB takes back who has written least, and that is us (1213; tried on MariaDB 10.11 and MySQL 9.7). The other two go on.
        """
        while not self._send(statements, deadline.left_s(), harmless=_DEADLOCK):
            self._pause(deadline, f"clients of segment {segment} wait for each other and for its guard (1213)", "try again")

    def _send(self, statements: Sequence[str], within_s: float, *, harmless: Collection[int] = ()) -> bool:
        """False if it ended with an error that is harmless."""
        if not statements:
            return True
        session = self._pool.ready(Purpose.UNLOGGED)
        bound_s = max(within_s, READ_BOUND_S)  # never less than the connection's own bound: the server gives up first
        bounded = (self._dialect().bounds(bound_s), *statements)
        return bool(self._pool.act(bounded, bound_s=bound_s, doing="segment", session=session, harmless=harmless))

    def _end_sessions(self, users: Collection[str], deadline: Deadline, mark: str) -> None:
        """Those that logged in before the lock, and those whose login was under way then: it was not refused, and shows no name yet."""
        session = self._pool.session(Purpose.ACT)
        arriving = set(_sessions(session, {_ARRIVING}))
        while True:
            kill_and_prove_gone(session, _sessions(session, users), clock=self._pool.clock, mark=mark)
            arriving &= set(_sessions(session, {_ARRIVING}))
            left = _sessions(session, users)
            if not left and not arriving:
                return
            there = ", ".join(map(str, [*left, *arriving]))
            what = f"sessions {there} of {', '.join(sorted(users))} are still there"
            self._pause(deadline, what, "a large transaction may be rolling back; wait for it, then try again")

    def _await_committing(self, deadline: Deadline) -> None:
        """MySQL lets a transaction's locks go a moment before `gtid_executed` has it (`diff/ends.py: End.logged`): whoever locked the guard
        after it would read a position without it.
        """
        if self._dialect().flavor != "mysql":
            return
        owned = mysql_facts.owned(text_of(self._pool.rows(mysql_facts.OWNED)[0]["owned"]))
        while isinstance(held := self._position(), MySQLPosition) and not held.contains(owned):
            self._pause(deadline, f"transactions {owned.minus(held)} are still under way", "wait for whoever set that gtid_next")

    def _await_prepared(self, deadline: Deadline) -> None:
        """Of those that are there now. The guard waits for none that lost what it had locked only to read: on MariaDB at XA PREPARE
        (lock_release_on_prepare in lock0lock.cc; tried on 10.11), on MySQL when the server was restarted (tried on 9.7). One that is
        prepared later can hold no row of the segment.
        """
        left = set(self._prepared())
        while left := left & set(self._prepared()):
            names = ", ".join(sorted(left))
            self._pause(deadline, f"XA transactions {names} are prepared", "let its coordinator commit it or roll it back")

    def _pause(self, deadline: Deadline, why: str, hint: str) -> None:
        if deadline.is_over():
            raise BoundReached(f"{self._pool.spec.name}: {why}", hint=hint, server=self._pool.spec.name)
        self._pool.clock.sleep(_LOOK_EVERY_S)

    def _seen_prepared(self) -> tuple[str, ...]:
        """Who may not look, as an account that only audits, can't say that there is none (1401 on MySQL, without XA_RECOVER_ADMIN)."""
        try:
            return self._prepared()
        except (NotPermitted, StatementFailed):
            return ("that can't be seen",)

    def _prepared(self) -> tuple[str, ...]:
        return self._dialect().prepared_transactions(self._pool)

    def _accounts(self) -> _Known:
        locked, roles = {}, set()
        for row in self._pool.rows(_ACCOUNTS[self._see_closable()]):
            one = text_of(row["user"]), text_of(row["host"])
            if row["is_role"]:
                roles.add(one)
            else:
                locked[one] = bool(row["locked"])
        return _Known(locked, frozenset(roles))

    def _see_closable(self) -> str:
        """The flavor."""
        flavor = self._dialect().flavor
        if flavor not in _ACCOUNTS:
            raise StatementFailed(
                f"{self._pool.spec.name} ({flavor}): Interlock closes no segment there",
                hint=f"segments are for {' and '.join(_ACCOUNTS)}; move the whole pair",
                server=self._pool.spec.name,
            )
        return flavor

    def _own_rights(self) -> tuple[str, Grants, set[str]]:
        """Interlock's account, what it has been given, and what of that is on everything."""
        account = text_of(self._pool.rows("SELECT CURRENT_USER() AS account")[0]["account"])
        own = segment_rights.parse(text_of(next(iter(row.values()))) for row in self._pool.rows("SHOW GRANTS"))
        return account, own, {given.upper() for pattern, right in own.rights if pattern == "*" for given in right.privileges}

    def _grants(self, accounts: Iterable[AccountName]) -> dict[AccountName, Grants]:
        """Nothing for an account that is not in effect: with skip_name_resolve, one whose host is a name (1141, tried on MariaDB 11.8)."""
        session = self._pool.session(Purpose.WITNESS)
        found: dict[AccountName, Grants] = {}
        for one in accounts:
            results = session.run((f"SHOW GRANTS FOR {_of(one)}",), bound_s=READ_BOUND_S, harmless=_NO_GRANT)
            found[one] = segment_rights.parse(text_of(next(iter(row.values()))) for result in results for row in result.rows)
        return found

    def _roles(self, grants: Iterable[Grants]) -> dict[AccountName, Grants]:
        """All roles that they have been given, however far."""
        known: dict[AccountName, Grants] = {}
        waiting = {role for each in grants for role in each.roles}
        while waiting:
            found = self._grants(sorted(waiting))
            known |= found
            waiting = {role for each in found.values() for role in each.roles} - known.keys()
        return known

    def _note(self, segment: str) -> SegmentNote | None:
        found = self._pool.session(Purpose.WITNESS).run((segment_words.note_of(segment),), bound_s=READ_BOUND_S, harmless=canary.MISSING)
        if not found or not found[0].rows:
            return None
        row = found[0].rows[0]
        return SegmentNote(owner=ClusterName(text_of(row["owner"])), epoch=int(text_of(row["epoch"])))

    def _lacks(self, spec: SegmentSpec) -> tuple[str, ...]:
        """Who gives a right must have it, with GRANT OPTION."""
        account, own, everywhere = self._own_rights()
        needed = segment_words.NEEDS[self._dialect().flavor]
        lacks = [f"GRANT {need} ON *.* TO {segment_words.sql_of(account)}" for need in needed if not everywhere & {need, "ALL PRIVILEGES"}]
        whole = [right for pattern, right in own.rights if pattern == "*"]
        for schema in spec.schemas:
            rights = [right for right in (*whole, *segment_rights.rights_on(own, [schema])) if right.grant_option]
            if not any("ALL PRIVILEGES" in right.privileges for right in rights):
                lacks.append(segment_words.schema_need(schema, segment_words.sql_of(account)))
        return tuple(lacks)


def _sessions(session: Session, users: Collection[str]) -> list[int]:
    named = ",".join(text(user) for user in sorted(users))
    rows = session.rows(f"SELECT id FROM {session.processlist} p WHERE user IN ({named})", doing="look for sessions of a segment")
    return sorted(int(text_of(row["id"])) for row in rows)


def _can_write(given: Grants, roles: dict[AccountName, Grants], schemas: Collection[str]) -> bool:
    """By itself, or by any role."""
    return any(
        segment_rights.rights_on(each, schemas) or segment_rights.writes_everywhere(each)
        for each in (given, *(roles.get(role, Grants()) for role in segment_rights.reached(given.roles, roles)))
    )


def _written(account: AccountName) -> str:
    return account[0] if account == _PUBLIC else f"{account[0]}@{account[1]}"


def _of(account: AccountName) -> str:
    """A role of MariaDB has no host; PUBLIC is a keyword there."""
    user, host = account
    return f"{text(user)}@{text(host)}" if host else user if account == _PUBLIC else name(user)
