"""What a row of the process list says of its connection."""

from __future__ import annotations

import pytest

from interlock.servers.client_sessions import log_readers

READS = {
    "a replica": ("Binlog Dump", "repl", ("repl@10.0.0.2:4711",)),
    "one by GTID": ("Binlog Dump GTID", "repl", ("repl@10.0.0.2:4711",)),
    "Interlock itself": ("Binlog Dump", "interlock", ()),
    "a client": ("Query", "app", ()),
    "a receiver": ("Slave_IO", "system user", ()),
}


@pytest.mark.parametrize(("command", "user", "read_by"), READS.values(), ids=READS)
def test_who_reads_the_log_is_told_with_its_host(command: str, user: str, read_by: tuple[str, ...]) -> None:
    rows = [{"command": command, "user": user, "host": "10.0.0.2:4711"}]
    assert log_readers(rows, our_user="interlock") == read_by
