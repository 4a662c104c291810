"""May our account write rows of these schemas?"""

from __future__ import annotations

from collections.abc import Iterable

from interlock.errors import NotPermitted
from interlock.servers.grants import missing_for_repair
from interlock.servers.quoting import text
from interlock.servers.session import Session, text_of


def see_allowed(session: Session, schemas: Iterable[str]) -> None:
    """NotPermitted with the grants that are missing: without them it would see no triggers, and write nothing."""
    rows = session.rows("SHOW GRANTS")
    user, _, host = text_of(session.rows("SELECT CURRENT_USER() AS u")[0]["u"]).rpartition("@")
    lacks = missing_for_repair([text_of(next(iter(row.values()))) for row in rows], schemas, account=f"{text(user)}@{text(host)}")
    if lacks:
        raise NotPermitted(f"{session.server}: the account may not write rows: {'; '.join(lacks)}", hint="see `interlock grants`")
