"""The bare failover, which failover.py measures ours against: no verdict, no fencing, no journal, whatever the state of things.

A program of its own that imports nothing but pymysql. Its words: mariadb or mysql, the survivor's unix socket, the account, the file of its
password, the proxy's admin socket, its backend, the survivor, the dead one.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pymysql
from pymysql.cursors import DictCursor

_WORDS = {
    "mariadb": (
        "STOP SLAVE IO_THREAD",
        "SHOW SLAVE STATUS",
        "Gtid_IO_Pos",
        "SELECT MASTER_GTID_WAIT(%s, 10) AS late",
        "STOP SLAVE",
        "SET GLOBAL read_only=0",
    ),
    "mysql": (
        "STOP REPLICA IO_THREAD",
        "SHOW REPLICA STATUS",
        "Retrieved_Gtid_Set",
        "SELECT WAIT_FOR_EXECUTED_GTID_SET(%s, 10) AS late",
        "STOP REPLICA",
        "SET GLOBAL read_only=0",
    ),
}


def main() -> None:
    kind, server, account, password_file, proxy, backend, to, old = sys.argv[1:]
    stop_receiving, look, column, wait, stop, open_ = _WORDS[kind]
    password = Path(password_file).read_text().rstrip("\n")
    with pymysql.connect(
        unix_socket=server, user=account, password=password, autocommit=True, ssl_disabled=True, cursorclass=DictCursor
    ) as connection:
        cursor = connection.cursor()
        cursor.execute(stop_receiving)
        cursor.execute(look)
        received = (cursor.fetchone() or {})[column]
        cursor.execute(wait, (received,))
        if (cursor.fetchone() or {})["late"] != 0:
            raise SystemExit(f"{to} did not apply {received} in 10s")
        cursor.execute(stop)
        cursor.execute(open_)
    tell(proxy, f"set server {backend}/{to} state ready; set server {backend}/{old} state maint; shutdown sessions server {backend}/{old}")


def tell(path: str, commands: str) -> None:
    with socket.socket(socket.AF_UNIX) as proxy:
        proxy.connect(path)
        proxy.sendall(commands.encode() + b"\n")
        said = b"".join(iter(lambda: proxy.recv(4096), b"")).strip()
    if said:
        raise SystemExit(f"the proxy said: {said.decode()}")


if __name__ == "__main__":
    main()
