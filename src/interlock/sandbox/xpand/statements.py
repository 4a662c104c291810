"""What a cluster does with each statement: a table of them, and what is not in it is refused as no syntax of Xpand's."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from interlock.dataclass import dataclass
from interlock.sandbox.xpand import slave as slaves
from interlock.sandbox.xpand.cluster import Cluster, Session, Slave
from interlock.sandbox.xpand.data import Answer
from interlock.sandbox.xpand.errors import Refusal, syntax
from interlock.sandbox.xpand.log import Log
from interlock.sandbox.xpand.rewriting import is_one, stripped

_DONE = Answer()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A statement that fits a row of the table, with its parts by name."""

    cluster: Cluster
    session: Session
    text: str
    parts: dict[str, str]


async def run(cluster: Cluster, session: Session, statement: str) -> Answer:
    """Refusal if it is none of Xpand's, or can't be done."""
    text = stripped(statement)
    if not is_one(statement):
        raise syntax(text.partition(";")[2])  # whether it takes several in a packet is not documented
    for pattern, action in _TABLE:
        found = pattern.fullmatch(text)
        if found is not None:
            parts = {key: value for key, value in found.groupdict().items() if value is not None}
            return await action(Asked(cluster=cluster, session=session, text=text, parts=parts))
    raise syntax(text)


async def _nothing(asked: Asked) -> Answer:
    del asked
    return _DONE


async def _begin(asked: Asked) -> Answer:
    asked.cluster.commit(asked.session)
    asked.session.pending, asked.session.began_s = [], asked.cluster.clock.monotonic_s()
    return _DONE


async def _commit(asked: Asked) -> Answer:
    asked.cluster.commit(asked.session)
    return _DONE


async def _rollback(asked: Asked) -> Answer:
    asked.session.pending = None
    return _DONE


async def _set_global(asked: Asked) -> Answer:
    asked.cluster.may(asked.session, "SUPER")
    name, value = asked.parts["name"].lower(), asked.parts["value"].strip("'\"")
    asked.cluster.variable(name)
    known = {"true": 1, "on": 1, "false": 0, "off": 0}
    asked.cluster.variables[name] = known.get(value.lower(), int(value) if value.isdigit() else value)
    return _DONE


async def _read(asked: Asked) -> Answer:
    return asked.cluster.read(asked.session, asked.text)


async def _write(asked: Asked) -> Answer:
    return asked.cluster.write(asked.session, asked.text)


async def _define(asked: Asked) -> Answer:
    asked.cluster.define(asked.session, asked.text)
    return _DONE


async def _kill(asked: Asked) -> Answer:
    number = int(asked.parts["number"])
    if number in asked.cluster.sessions and asked.cluster.sessions[number].user != asked.session.user:
        asked.cluster.may(asked.session, "SUPER")
    asked.cluster.kill(number)
    return _DONE


async def _variables(asked: Asked) -> Answer:
    shown = {"read_only": "true" if asked.cluster.variables["read_only"] else "false"}
    rows = tuple((name, str(shown.get(name, value))) for name, value in sorted(asked.cluster.variables.items()))
    return Answer(names=("Variable_name", "Value"), rows=rows)


async def _grants(asked: Asked) -> Answer:
    user = asked.session.user
    everything = "SUPER, REPLICATION CLIENT, REPLICATION SLAVE, PROCESS, SELECT"
    grants = {
        "interlock": (
            f"GRANT {everything} ON *.* TO '{user}'@'%'",
            f"GRANT INSERT, UPDATE, DELETE, CREATE ON `interlock`.* TO '{user}'@'%'",
        ),
        "interlock_canary": (f"GRANT SELECT, INSERT, UPDATE ON `interlock`.`canary` TO '{user}'@'%'",),
    }
    rows = tuple((line,) for line in grants.get(user, (f"GRANT USAGE ON *.* TO '{user}'@'%'",)))
    return Answer(names=(f"Grants for {user}@%",), rows=rows)


async def _drop_node(asked: Asked) -> Answer:
    """The node is gone at once, with all that was connected to it."""
    asked.cluster.may(asked.session, "SUPER")
    number = int(asked.parts["number"])
    if number not in asked.cluster.nodes:
        raise Refusal(f"[50000] No such node: {number}")
    asked.cluster.nodes.pop(number).close()
    for one in [one for one in asked.cluster.sessions.values() if one.node == number]:
        asked.cluster.kill(one.id)
    return _DONE


# -- binlogs and slaves


async def _create_binlog(asked: Asked) -> Answer:
    name = asked.parts["name"]
    if name in asked.cluster.logs:
        raise Refusal(f"[50178] Binlog already there: {name}")
    asked.cluster.logs[name] = Log(name=name, server_id=asked.cluster.server_id)
    return _DONE


def _log(asked: Asked) -> Log:
    name = asked.parts["name"]
    if name not in asked.cluster.logs:
        raise Refusal(f"[50179] No such binlog: {name}")
    return asked.cluster.logs[name]


async def _drop_binlog(asked: Asked) -> Answer:
    del asked.cluster.logs[_log(asked).name]
    return _DONE


async def _rotate_binlog(asked: Asked) -> Answer:
    _log(asked).rotate()
    return _DONE


async def _master_status(asked: Asked) -> Answer:
    logs = [_log(asked)] if "name" in asked.parts else list(asked.cluster.logs.values())
    rows = tuple((log.file, log.position, "", "") for log in logs)
    return Answer(names=("File", "Position", "Binlog_Do_DB", "Binlog_Ignore_DB"), rows=rows)


async def _binary_logs(asked: Asked) -> Answer:
    rows = tuple((log.file_name(file), file.size) for log in asked.cluster.logs.values() for file in log.files)
    return Answer(names=("Log_name", "File_size"), rows=rows)


_SETTINGS = re.compile(r"(MASTER_\w+)\s*=\s*(?:'([^']*)'|(\d+))", re.IGNORECASE)


async def _change_slave(asked: Asked) -> Answer:
    """CREATE SLAVE and CHANGE SLAVE … TO."""
    name = asked.parts.get("name", "default")
    given = {key.upper(): text or number for key, text, number in _SETTINGS.findall(asked.parts["settings"])}
    known = asked.cluster.slaves.get(name)
    if known is not None and known.task is not None and not known.task.done():
        raise Refusal(f"[50180] Slave is running: {name}")
    log, _, sequence = given["MASTER_LOG_FILE"].rpartition(".")
    asked.cluster.slaves[name] = Slave(
        name=name,
        host=given["MASTER_HOST"],
        port=int(given.get("MASTER_PORT", "3306")),
        user=given["MASTER_USER"],
        password=given.get("MASTER_PASSWORD", ""),
        log=log,
        sequence=int(sequence),
        position=int(given.get("MASTER_LOG_POS", "4")),
    )
    return _DONE


def _slave(asked: Asked) -> Slave:
    name = asked.parts.get("name", "default")
    if name not in asked.cluster.slaves:
        raise Refusal(f"[50181] No such slave: {name}")
    return asked.cluster.slaves[name]


async def _start_slave(asked: Asked) -> Answer:
    asked.cluster.may(asked.session, "SUPER")
    slaves.start(asked.cluster, _slave(asked))
    return _DONE


async def _stop_slave(asked: Asked) -> Answer:
    asked.cluster.may(asked.session, "SUPER")
    await slaves.stop(_slave(asked))
    return _DONE


async def _slave_status(asked: Asked) -> Answer:
    shown = [_slave(asked)] if "name" in asked.parts else list(asked.cluster.slaves.values())
    rows = [_slave_row(one) for one in shown]
    return Answer(names=tuple(rows[0]) if rows else ("Slave_Name",), rows=tuple(tuple(row.values()) for row in rows))


def _slave_row(one: Slave) -> dict[str, object]:
    runs = one.task is not None and not one.task.done()
    return {
        "Slave_Name": one.name,
        "Slave_Status": "Running" if runs else "Error" if one.error else "Stopped",
        "Master_Host": one.host,
        "Master_Port": one.port,
        "Master_User": one.user,
        "Master_Log_File": one.log,
        "Slave_Enabled": "Enabled" if runs else "Disabled",
        "Log_File_Seq": one.sequence,
        "Log_File_Pos": one.position,
        "Last_Error": one.error or "no error",
        "Connection_Status": one.connection,
        "Relay_Log_Current_Bytes": one.received,
        "Seconds_Behind_Master": 0 if runs and one.connection == "Connected" else None,
    }


_ROWS: tuple[tuple[str, Callable[[Asked], Awaitable[Answer]]], ...] = (
    (r"SET\s+GLOBAL\s+(?P<name>\w+)\s*=\s*(?P<value>\S+)", _set_global),
    (r"SET\s+(?!GLOBAL\b).*", _nothing),
    (r"BEGIN|START\s+TRANSACTION", _begin),
    (r"COMMIT", _commit),
    (r"ROLLBACK", _rollback),
    (r"SELECT\b.*", _read),
    (r"(INSERT|UPDATE|DELETE|REPLACE)\b.*", _write),
    (r"(CREATE|DROP|ALTER)\s+(DATABASE|SCHEMA|TABLE)\b.*", _define),
    (r"KILL\s+(?:CONNECTION\s+)?(?P<number>\d+)", _kill),
    (r"SHOW\s+GLOBAL\s+VARIABLES", _variables),
    (r"SHOW\s+GRANTS", _grants),
    (r"ALTER\s+CLUSTER\s+DROP\s+(?P<number>\d+)", _drop_node),
    (r"CREATE\s+BINLOG\s+'(?P<name>[^']+)'.*", _create_binlog),
    (r"DROP\s+BINLOG\s+'(?P<name>[^']+)'", _drop_binlog),
    (r"ROTATE\s+BINLOG\s+'(?P<name>[^']+)'", _rotate_binlog),
    (r"SHOW\s+MASTER\s+STATUS(?:\s+'(?P<name>[^']+)')?", _master_status),
    (r"SHOW\s+(?:BINARY|MASTER)\s+LOGS", _binary_logs),
    (r"CREATE\s+SLAVE\s+'(?P<name>[^']+)'\s+(?P<settings>MASTER_.*)", _change_slave),
    (r"CHANGE\s+SLAVE\s+'(?P<name>[^']+)'\s+TO\s+(?P<settings>MASTER_.*)", _change_slave),
    (r"CHANGE\s+MASTER\s+TO\s+(?P<settings>MASTER_.*)", _change_slave),
    (r"START\s+SLAVE(?:\s+'(?P<name>[^']+)')?", _start_slave),
    (r"STOP\s+SLAVE(?:\s+'(?P<name>[^']+)')?", _stop_slave),
    (r"SHOW\s+SLAVE\s+STATUS(?:\s+'(?P<name>[^']+)')?", _slave_status),
)
_TABLE = tuple((re.compile(pattern, re.IGNORECASE | re.DOTALL), action) for pattern, action in _ROWS)
