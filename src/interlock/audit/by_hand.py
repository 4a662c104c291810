"""What a person types where Interlock itself is not there: a client of each flavor, what to ask it, and how a route is told.

The statements that change something are the drivers' own, word for word; here are only those that a driver asks in its own way.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from interlock.dataclass import dataclass
from interlock.errors import StatementFailed
from interlock.model.effects import PointTo
from interlock.model.topology import ClusterName, RouteSpec, SecretRef, SecretSource, ServerSpec
from interlock.ports import Route
from interlock.servers.server import SqlServer

WAIT_S = 60
_READ_ALL = "has read all relay log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """`position` gives one value, all that the server wrote itself; `reached`, with that value in place of {position}, gives 0 once another
    server holds it.
    """

    client: str
    no_tls: str
    position: str
    reached: str
    channels: str


_WORDS = {
    "mariadb": Words(
        client="mariadb",
        no_tls="--skip-ssl",
        position="SELECT TRIM(LEADING ',' FROM REGEXP_SUBSTR(@@gtid_binlog_pos, CONCAT('(^|,)', @@gtid_domain_id, '-[0-9]+-[0-9]+')))",
        reached=f"SELECT MASTER_GTID_WAIT('{{position}}', {WAIT_S})",
        channels="SHOW ALL SLAVES STATUS",
    ),
    "mysql": Words(
        client="mysql",
        no_tls="--ssl-mode=DISABLED --get-server-public-key",
        position="SELECT REPLACE(@@gtid_executed, '\\n', '')",
        reached=f"SELECT WAIT_FOR_EXECUTED_GTID_SET('{{position}}', {WAIT_S})",
        channels="SHOW REPLICA STATUS",
    ),
}
"""MariaDB: only the server's own domain, for one that never came by replication is waited for in vain (docs/facts.md)."""
BOTH_STATES = "SELECT @@hostname, @@port, @@read_only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """One server as a person reaches it. The password comes from the environment (MYSQL_PWD), never from a command line."""

    server: SqlServer
    words: Words

    def sql(self, *statements: str) -> str:
        """Run by the client, as a table of one line for each value."""
        return f"{self._client()} -e {shlex.quote('; '.join(statements))}"

    def channels(self) -> str:
        """Each property of each channel on a line of its own. (MySQL 9.7's client takes no backslash-G after -e.)"""
        return f"{self._client()} -E -e {shlex.quote(self.words.channels)}"

    def value(self, statement: str) -> str:
        """The same, for one bare value. The statement may hold a variable of the shell."""
        return f'{self._client()} -N -e "{statement}"'

    def password(self) -> str:
        """For every client of this server: from where the topology says that it is to be had."""
        account = self.server.spec.access.account
        return f"export MYSQL_PWD={_shell_words(account.password)}   # of {account.user}"

    def _client(self) -> str:
        spec = self.server.spec
        tls = spec.access.tls
        secured = self.words.no_tls if tls is None else f"--ssl-ca={shlex.quote(tls.ca)}" if tls.ca is not None else "--ssl"
        place = f"--host={shlex.quote(spec.host)} --port={spec.port} --protocol=TCP --user={shlex.quote(spec.access.account.user)}"
        return f"{self.words.client} {place} {secured}"


def _shell_words(secret: SecretRef | None) -> str:
    match secret:
        case None:
            return "…"
        case SecretRef(source=SecretSource.ENV, place=(variable,)):
            return f'"${variable}"'
        case SecretRef(source=SecretSource.FILE):
            return f'"$(cat {shlex.join(secret.place)})"'
        case _:
            return f'"$({shlex.join(secret.place)})"'


def hand_of(server: SqlServer) -> Hand:
    """StatementFailed for a flavor, or a kind of position, for which nothing is known by heart."""
    flavor = server.facts().flavor
    if flavor not in _WORDS:
        raise StatementFailed(f"{server.name}: what to type by hand on {flavor} is not known", server=server.name)
    if any(channel.using == "position" for channel in server.channels()):
        raise StatementFailed(f"{server.name} replicates by file and offset: what to type by hand is not known", server=server.name)
    return Hand(server=server, words=_WORDS[flavor])


def all_read() -> str:
    """What a channel says once it has applied all that it received, on either flavor (MySQL manual, "Replication SQL Thread States")."""
    return _READ_ALL


def route_lines(spec: RouteSpec, route: Route, to: ClusterName) -> Sequence[str]:
    """In a shell, where that can be said; none for a type of route that is told otherwise."""
    lines = route.script(PointTo(route=spec.name, cluster=to))
    if spec.kind == "haproxy":
        return [_to_haproxy(line) for line in lines]
    return list(lines) if spec.kind == "command" else []


def _to_haproxy(line: str) -> str:
    """`haproxy unix:/run/ha.sock: a; b`, all of it on one connection (HAProxy management guide, "Unix Socket commands")."""
    place, _, words = line.removeprefix("haproxy ").partition(": ")
    kind, _, rest = place.partition(":")
    address = f"UNIX-CONNECT:{rest}" if kind == "unix" else f"TCP:{rest}" if kind == "tcp" else f"TCP:{place}"
    return f"echo {shlex.quote(words)} | socat - {shlex.quote(address)}"


def host_of(spec: ServerSpec) -> str:
    return f"{spec.host}:{spec.port}"
