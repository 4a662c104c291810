"""MySQL's client/server protocol, as much as a proxy of text statements needs.

Source: MySQL internals, "Client/Server Protocol": packets, handshake v10, mysql_native_password, COM_QUERY and its response.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import struct
from collections.abc import Iterator, Sequence

from interlock.dataclass import dataclass

QUIT, INIT_DB, QUERY, PING = 0x01, 0x02, 0x03, 0x0E
IN_TRANSACTION, AUTOCOMMIT, MORE_RESULTS = 0x0001, 0x0002, 0x0008
INTEGER, DOUBLE, TEXT = 0x08, 0x05, 0xFD
_PLUGIN = b"mysql_native_password"
# long password, long flag, connect with db, protocol 41, transactions, secure connection, several statements and results, plugin auth
_CAPABILITIES = 0x1 | 0x4 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x10000 | 0x20000 | 0x80000
_CONNECT_WITH_DB, _LENENC_AUTH, _PLUGIN_AUTH = 0x8, 0x200000, 0x80000
_UTF8MB4 = 45


class Gone(Exception):
    """The peer ended the connection."""


class Refused(Gone):
    """The server lets this account not in. `packet` is what it said."""

    def __init__(self, packet: bytes) -> None:
        super().__init__(packet[3:].decode(errors="replace"))
        self.packet = packet


@dataclass(slots=True)
class Stream:
    """One connection. `sequence` is the number of the next packet."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    sequence: int = 0

    async def read(self) -> bytes:
        """The next packet's payload."""
        try:
            header = await self.reader.readexactly(4)
            self.sequence = (header[3] + 1) % 256
            return await self.reader.readexactly(int.from_bytes(header[:3], "little"))
        except (asyncio.IncompleteReadError, OSError) as error:
            raise Gone(str(error)) from error

    def put(self, payload: bytes) -> None:
        self.writer.write(len(payload).to_bytes(3, "little") + bytes([self.sequence]) + payload)
        self.sequence = (self.sequence + 1) % 256

    async def flush(self) -> None:
        try:
            await self.writer.drain()
        except OSError as error:
            raise Gone(str(error)) from error

    async def send(self, payload: bytes) -> None:
        self.put(payload)
        await self.flush()

    async def command(self, payload: bytes) -> None:
        self.sequence = 0
        await self.send(payload)

    @property
    def is_over(self) -> bool:
        return self.reader.at_eof() or self.writer.is_closing()

    def close(self) -> None:
        self.writer.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What a client said of itself. `answer` is its scrambled password."""

    user: str
    answer: bytes
    database: str


def scramble(password: str, salt: bytes) -> bytes:
    """mysql_native_password: SHA1(password) XOR SHA1(salt + SHA1(SHA1(password)))."""
    if not password:
        return b""
    first = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    second = hashlib.sha1(first, usedforsecurity=False).digest()
    mask = hashlib.sha1(salt + second, usedforsecurity=False).digest()
    return bytes(a ^ b for a, b in zip(first, mask, strict=True))


async def greet(client: Stream, version: str, session: int) -> tuple[Login, bytes]:
    """The server's side of a login: the client's words, and the salt to judge them by."""
    salt = bytes(byte % 93 + 33 for byte in os.urandom(20))
    client.put(
        b"\x0a" + version.encode() + b"\0" + struct.pack("<I", session) + salt[:8] + b"\0"
        + struct.pack("<HBHH", _CAPABILITIES & 0xFFFF, _UTF8MB4, AUTOCOMMIT, _CAPABILITIES >> 16)
        + bytes([21]) + bytes(10) + salt[8:] + b"\0" + _PLUGIN + b"\0"
    )  # fmt: skip
    await client.flush()
    reply = await client.read()
    flags = int.from_bytes(reply[:4], "little")
    user, _, rest = reply[32:].partition(b"\0")
    answer, rest = (rest[1 : 1 + rest[0]], rest[1 + rest[0] :]) if flags & (_LENENC_AUTH | 0x8000) else rest.split(b"\0", 1)
    database = rest.partition(b"\0")[0].decode() if flags & _CONNECT_WITH_DB else ""
    plugin = rest.partition(b"\0")[2] if flags & _CONNECT_WITH_DB else rest
    if flags & _PLUGIN_AUTH and not plugin.startswith(_PLUGIN):
        await client.send(b"\xfe" + _PLUGIN + b"\0" + salt + b"\0")
        answer = await client.read()
    return Login(user=user.decode(), answer=answer, database=database), salt


async def log_in(server: Stream, user: str, password: str, database: str) -> None:
    """The client's side. Refused, with the server's words, if it does not let the account in."""
    greeting = await server.read()
    if greeting[0] == 0xFF:
        raise Refused(greeting)
    rest = greeting.partition(b"\0")[2]
    salt = rest[4:12] + rest[31:43]
    answer = scramble(password, salt)
    flags = _CAPABILITIES if database else _CAPABILITIES & ~_CONNECT_WITH_DB
    reply = struct.pack("<IIB23x", flags, 1 << 24, _UTF8MB4) + user.encode() + b"\0" + bytes([len(answer)]) + answer
    await server.send(reply + (database.encode() + b"\0" if database else b"") + _PLUGIN + b"\0")
    said = await server.read()
    if said[0] == 0xFE:
        await server.send(scramble(password, said.split(b"\0", 1)[1][:20]))
        said = await server.read()
    if said[0] != 0:
        raise Refused(said)


def ok(affected: int = 0, status: int = AUTOCOMMIT) -> bytes:
    return b"\0" + _number(affected) + b"\0" + struct.pack("<HH", status, 0)


def error(code: int, words: str, state: str = "HY000") -> bytes:
    return b"\xff" + struct.pack("<H", code) + b"#" + state.encode() + words.encode()


def resultset(names: Sequence[str], rows: Sequence[Sequence[object]], *, kinds: Sequence[int] = ()) -> Iterator[bytes]:
    """Every column a VARCHAR, as ProxySQL's admin interface has it, unless its type is among `kinds`."""
    end = b"\xfe" + struct.pack("<HH", 0, AUTOCOMMIT)
    yield _number(len(names))
    for name, kind in zip(names, kinds or [TEXT] * len(names), strict=True):
        yield _text("def") + _text("") * 3 + _text(name) * 2 + b"\x0c" + struct.pack("<HIBHB", _UTF8MB4, 1024, kind, 0, 0) + bytes(2)
    yield end
    for row in rows:
        yield b"".join(b"\xfb" if value is None else _text(str(value)) for value in row)
    yield end


async def relay(server: Stream, client: Stream) -> int:
    """One whole response, packet by packet; the server's status flags at its end."""
    while True:
        status = await _relay_one(server, client)
        if not status & MORE_RESULTS:
            await client.flush()
            return status


async def _relay_one(server: Stream, client: Stream) -> int:
    first = await server.read()
    client.put(first)
    if first[0] == 0xFF:
        return 0
    if first[0] == 0x00:
        at = _skip(first, _skip(first, 1))
        return int.from_bytes(first[at : at + 2], "little")
    for end in range(2):  # the columns end with a packet like the one that ends the rows
        while True:
            packet = await server.read()
            client.put(packet)
            if packet[0] == 0xFF:
                return 0
            if packet[0] == 0xFE and len(packet) < 9:
                break
        if end == 1:
            return int.from_bytes(packet[3:5], "little")
        await client.flush()
    raise AssertionError("a response has two ends")


def _number(value: int) -> bytes:
    if value < 251:
        return bytes([value])
    return b"\xfc" + struct.pack("<H", value) if value < 1 << 16 else b"\xfe" + struct.pack("<Q", value)


def _skip(packet: bytes, at: int) -> int:
    """The place after the length-encoded number at `at`."""
    return at + {0xFC: 3, 0xFD: 4, 0xFE: 9}.get(packet[at], 1)


def _text(value: str) -> bytes:
    data = value.encode()
    return _number(len(data)) + data
