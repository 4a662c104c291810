"""How many transactions a server wrote itself in each ten minutes, by the time stamps in its binary log."""

from __future__ import annotations

from contextlib import closing

from interlock.clock import Clock, Deadline
from interlock.dataclass import dataclass
from interlock.decisions.windows import BIN_S, Activity
from interlock.losses.live import PLAIN_SETTINGS, Dumped, dump
from interlock.servers.session import text_of

_BEGINS_TRANSACTION = frozenset({33, 34, 42, 162})
"""MySQL's GTID, anonymous GTID and tagged GTID events (libs/mysql/binlog/event/binlog_event.h); MariaDB's GTID event (sql/log_event.h)."""
_LOOK_EVERY = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """`of_bytes` is the whole log, `read_bytes` what of it was asked for, the newest; `whole` whether that was read to its end."""

    server: str
    activity: Activity
    read_bytes: int
    of_bytes: int
    whole: bool


def read_activity(server: Dumped, own_id: int, clock: Clock, *, most_bytes: int, within_s: float) -> Read:
    """From the oldest of the newest files that fit into `most_bytes`, to the log's end or the end of the time. DriverError."""
    with closing(server.session(PLAIN_SETTINGS)) as session:
        files = [(text_of(row["Log_name"]), int(text_of(row["File_size"]))) for row in session.rows("SHOW BINARY LOGS")]
    first, chosen_bytes = len(files), 0
    while first and (chosen_bytes + files[first - 1][1] <= most_bytes or first == len(files)):
        first -= 1
        chosen_bytes += files[first][1]
    bins: dict[int, int] = {}
    since_s = until_s = 0
    deadline, whole = Deadline.after(clock, within_s), True
    if files:
        for number, event in enumerate(dump(server, files[first][0], 4)):
            if event.at_s:
                since_s = min(since_s or event.at_s, event.at_s)
                until_s = max(until_s, event.at_s)
            if event.kind in _BEGINS_TRANSACTION and event.server_id == own_id:
                bins[event.at_s // BIN_S] = bins.get(event.at_s // BIN_S, 0) + 1
            if number % _LOOK_EVERY == 0 and deadline.is_over():
                whole = False
                break
    if whole:  # nothing was written since, and that is seen too
        until_s = max(until_s, int(clock.wall().timestamp()))
    return Read(
        server=server.name,
        activity=Activity(since_s=since_s, until_s=until_s, bins=bins),
        read_bytes=chosen_bytes,
        of_bytes=sum(size for _, size in files),
        whole=whole,
    )
