"""A stand-in for Tungsten Replicator's `trepctl` on one side of a sandbox: it answers as Continuent's documentation says, and nothing else.
For the other side's service it is the applier (role slave), for the side's own the extractor (role master).

Underneath, the server's own replication by file and offset moves the rows, from an address that Interlock does not know; so all that
Interlock sees of the channel is what is printed here. Run as `trepctl_stand_in.py SANDBOX SERVER -service NAME COMMAND …`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pymysql

from interlock.clock import Deadline, SystemClock
from interlock.sandbox import places
from interlock.sandbox.accounts import ADMIN
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import query


def main(argv: list[str]) -> int:
    """The exit code, as documented: 1 for `Wait timed out!` and for what is not understood."""
    folder, server, *words = argv
    sandbox = places.read(Path(folder))
    service = words[words.index("-service") + 1]
    is_master = service == server  # each side's service has its name, and is extracted there
    match [word for word in words if word not in {"-service", service}]:
        case ["status", "-json"]:
            told = extracted(sandbox, server) if is_master else status(sandbox, server, service)
            sys.stdout.write(json.dumps(told, indent=2) + "\n")
        case ["heartbeat", "-name", name] if is_master:
            heartbeat(sandbox, server, name)
        case ["purge", "-y"] if is_master:
            sys.stdout.write("Directing replicator to purge non-Tungsten sessions\n")
            sys.stdout.write(f"Number of sessions purged: {purge(sandbox, server)}\n")
        case ["online"]:
            query(sandbox, server, "START SLAVE")
        case ["offline"]:
            query(sandbox, server, "STOP SLAVE")
        case ["wait", "-applied", seqno, "-limit", limit]:
            return wait(sandbox, server, service, int(seqno), float(limit))
        case other:
            sys.stderr.write(f"ERROR: unknown command {other}\n")
            return 1
    return 0


def status(sandbox: Sandbox, server: str, service: str) -> Mapping[str, object]:
    """The fields of `trepctl status` of a replicator whose role is slave."""
    (row,) = query(sandbox, server, "SHOW SLAVE STATUS")
    file, offset = row["Relay_Master_Log_File"], int(row["Exec_Master_Log_Pos"])
    stored = _seqno(row["Master_Log_File"], int(row["Read_Master_Log_Pos"]))
    online = row["Slave_SQL_Running"] == "Yes" and row["Slave_IO_Running"] == "Yes"
    error = row["Last_SQL_Error"] or "NONE"
    return {
        "appliedLastEventId": f"{file}:{offset:016d};140" if online else "NONE",
        "appliedLastSeqno": _seqno(file, offset) if online else -1,
        "appliedLatency": 0.464 if online else -1.0,
        "channels": 1,
        "clusterName": service,
        "currentEventId": "NONE",
        "currentTimeMillis": int(SystemClock().wall().timestamp() * 1000),
        "maximumStoredSeqNo": stored if online else -1,
        "minimumStoredSeqNo": 0 if online else -1,
        "pendingError": error,
        "pendingErrorCode": "NONE",
        "pendingExceptionMessage": "NONE",
        "pipelineSource": f"thl://{service}:2112/",
        "relativeLatency": 5.007,
        "role": "slave",
        "serviceName": service,
        "serviceType": "local",
        "simpleServiceName": service,
        "state": "ONLINE" if online else "OFFLINE:ERROR" if error != "NONE" else "OFFLINE:NORMAL",
    }


def extracted(sandbox: Sandbox, server: str) -> Mapping[str, object]:
    """The same of the replicator that reads the server's own binary log, whose role is master."""
    (log,) = query(sandbox, server, "SHOW MASTER STATUS")
    file, offset = log["File"], int(log["Position"])
    told = {"appliedLastEventId": f"{file}:{offset:016d};140", "appliedLastSeqno": _seqno(file, offset)}
    return {**told, "appliedLatency": 0.1, "role": "master", "serviceName": server, "state": "ONLINE"}


def heartbeat(sandbox: Sandbox, server: str, name: str) -> None:
    """A row in the replicator's own schema, on the source."""
    schema = f"tungsten_{server}"
    query(sandbox, server, f"CREATE DATABASE IF NOT EXISTS {schema}")
    query(sandbox, server, f"CREATE TABLE IF NOT EXISTS {schema}.heartbeat (id BIGINT PRIMARY KEY, name VARCHAR(128))")
    query(sandbox, server, f"REPLACE INTO {schema}.heartbeat VALUES (1, %s)", f"{name} {SystemClock().wall()}")


def purge(sandbox: Sandbox, server: str) -> int:
    """End every session that is not the replicator's own: other tools' too, and the tool's that asked for it (the open-source replicator's
    PurgeTask compares the login's name, and nothing else).
    """
    others = query(sandbox, server, "SELECT id FROM information_schema.processlist WHERE user NOT IN (%s, 'repl', 'system user')", ADMIN)
    for row in others:
        with suppress(pymysql.err.OperationalError):  # it has ended by itself
            query(sandbox, server, f"KILL {row['id']}")
    return len(others)


def wait(sandbox: Sandbox, server: str, service: str, seqno: int, limit_s: float) -> int:
    deadline = Deadline.after(SystemClock(), limit_s)
    while True:
        applied = status(sandbox, server, service)["appliedLastSeqno"]
        if isinstance(applied, int) and applied >= seqno:
            return 0
        if deadline.is_over():
            sys.stdout.write("Wait timed out!\n")
            return 1
        deadline.clock.sleep(0.05)


def _seqno(file: str, offset: int) -> int:
    """A number that grows with the log."""
    return int(file.rpartition(".")[2]) * 10**10 + offset


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
