"""Where passwords come from, and how they are kept out of all that is stored or printed."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from threading import Lock
from urllib.parse import quote, quote_plus

from interlock.clock import Clock, SystemClock
from interlock.errors import DriverError, UsageError
from interlock.hosts.processes import run_program
from interlock.model.topology import SecretRef, SecretSource

COMMAND_WITHIN_S = 15.0
_SIZE_LIMIT = 64 << 10
_KEPT_IN_ADDRESSES = "!#$&'()*+,/:;=?@~"
"""By JavaScript's encodeURI (ECMAScript, 19.2.6)."""
# A shorter one can't be told from ordinary text: to strike it out would destroy the report.
_SHORTEST_REDACTED = 4


class Secrets:
    """Each place is read once, when it is first asked for. Errors name the place, never what was in it."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._known: dict[SecretRef, str] = {}
        self._struck: tuple[str, ...] = ()
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"Secrets({len(self._known)} read)"

    def read(self, ref: SecretRef, /) -> str:
        """UsageError if there is none, it is empty, or others can read its file. One line break at the end is not part of it."""
        with self._lock:
            if ref not in self._known:
                secret = self._fetch(ref)
                if not secret:
                    raise UsageError(f"the secret from {_place(ref)} is empty")
                self._known[ref] = secret
                self._strike(secret)
            return self._known[ref]

    def hide(self, secret: str, /) -> None:
        """Strike this out too: what was made of a secret (HTTP's basic login), or got by it (a session's token)."""
        with self._lock:
            self._strike(secret)

    def _strike(self, secret: str) -> None:
        """As it is, and as an address or a JSON text would hold it. One that is shorter than four characters is left alone."""
        if len(secret) >= _SHORTEST_REDACTED:
            forms = {
                secret,
                *(quoted(secret, safe=safe) for quoted in (quote, quote_plus) for safe in ("", "/", _KEPT_IN_ADDRESSES)),
                json.dumps(secret)[1:-1],
                json.dumps(secret, ensure_ascii=False)[1:-1],
            }
            self._struck = tuple(sorted({*self._struck, *forms}, key=len, reverse=True))

    def redact(self, text: str, /) -> str:
        """The text with every secret that was read or is to be hidden, of four characters or more, struck out; the longest first."""
        for secret in self._struck:
            text = text.replace(secret, "***")
        return text

    def _fetch(self, ref: SecretRef) -> str:
        match ref.source:
            case SecretSource.ENV:
                if ref.place[0] not in os.environ:
                    raise UsageError(
                        f"{_place(ref)} is not set", hint=f"export {ref.place[0]}=…, or name another place in the topology file"
                    )
                return os.environ[ref.place[0]]
            case SecretSource.FILE:
                return _without_line_break(_read_private(Path(ref.place[0]), _place(ref)))
            case SecretSource.COMMAND:
                return _without_line_break(self._ask(ref))

    def _ask(self, ref: SecretRef) -> str:
        """What the command prints. Neither that nor its errors are ever shown: a tool that traces would show the secret."""
        try:
            result = run_program(ref.place, env={}, within_s=COMMAND_WITHIN_S, clock=self._clock)
        except DriverError as error:
            raise UsageError(f"{_place(ref)}: {error.message}", hint=error.hint) from error
        if result.exit_code != 0:
            raise UsageError(f"{_place(ref)} ended with {result.exit_code}", hint="run it by hand: what it says is not repeated here")
        return result.stdout


def _place(ref: SecretRef) -> str:
    match ref.source:
        case SecretSource.ENV:
            return f"environment variable {ref.place[0]}"
        case SecretSource.FILE:
            return f"file {ref.place[0]}"
        case SecretSource.COMMAND:
            return f"command {ref.place[0]}"


def _read_private(path: Path, place: str) -> str:
    """The open file itself is looked at, so that it can't be exchanged between the look and the read."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise UsageError(f"{place} is no ordinary file")
            if mode & stat.S_IROTH:
                raise UsageError(f"{place} can be read by everybody (mode {stat.S_IMODE(mode):04o})", hint=f"chmod 600 {path}")
            return file.read(_SIZE_LIMIT).decode()
    except OSError as error:
        raise UsageError(f"{place} can't be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise UsageError(f"{place} is not UTF-8 text") from None  # the cause would hold the secret


def _without_line_break(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")
