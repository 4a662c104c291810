"""What the accounts of the topology lack at a server, asked before anything is touched."""

from __future__ import annotations

from collections.abc import Callable

from interlock.errors import WriteRefused
from interlock.servers import client_sessions
from interlock.servers.accounts import Accounts
from interlock.servers.dialect import Dialect
from interlock.servers.pool import Pool, Purpose
from interlock.servers.quoting import text
from interlock.servers.session import Session, text_of


def missing(pool: Pool, dialect: Dialect, accounts: Callable[[], Accounts]) -> tuple[str, ...]:
    """Each as the GRANT that gives it: of Interlock's own account, of the canary account if the topology names one, and of who replicates
    from a server that is to turn its clients out.
    """
    from interlock.servers import grants  # noqa: PLC0415 - it knows every flavor, and few runs ask

    session = pool.session(Purpose.WITNESS)
    found = grants.missing(_grants_of(session), dialect.needs, account=_account_of(session))
    if pool.spec.fence is not None:
        found += client_sessions.turned_out(dialect.sessions(pool), accounts())
    if pool.spec.access.canary is None:
        return found
    try:
        session = pool.session(Purpose.CANARY)
    except WriteRefused:
        return found  # it turns clients out; what the account lacks is found out once it lets them in
    return found + grants.missing_of_canary(_grants_of(session), account=_account_of(session))


def missing_for_alter(pool: Pool, flavor: str, table: tuple[str, str]) -> tuple[str, ...]:
    """What Interlock's own account lacks to change this table (schema and name) at this server alone, each as the GRANT that gives it."""
    from interlock.servers import grants  # noqa: PLC0415 - see above

    session = pool.session(Purpose.WITNESS)
    return grants.missing_for_alter(_grants_of(session), flavor, session.version, table, account=_account_of(session))


def _grants_of(session: Session) -> list[str]:
    return [text_of(next(iter(row.values()))) for row in session.rows("SHOW GRANTS")]


def _account_of(session: Session) -> str:
    user, _, host = text_of(session.rows("SELECT CURRENT_USER() AS account")[0]["account"]).rpartition("@")
    return f"{text(user)}@{text(host)}"
