"""Keys and transactions of the store, as etcd's JSON gateway wants them, and what its answers say. Pure.

The keys, below the store's prefix; names are percent-encoded:

    run/RUN               the header, and a token
    last/RUN              the number of the run's last record
    record/RUN/SEQ        the records of one append, named by the first one's number; and a token
    lease/TOPOLOGY        epoch and holder; the holder is null once it was released
    epoch/TOPOLOGY        the epoch alone, for comparing
    mark/TOPOLOGY/KIND/SUBJECT   a mark of the pair, and a token
    alive/TOPOLOGY        there as long as the holder renews: bound to an etcd lease, so that etcd's clock ends it and nobody else's

A *token* is new for every write. A write whose answer was lost is sent again, finds its comparison failing, reads its own token, and so
knows that it had its effect the first time.
"""

from __future__ import annotations

import secrets
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from interlock.dataclass import dataclass
from interlock.errors import StoreFailed

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one store."""

    prefix: str

    def run(self, run: str = "") -> str:
        return f"{self.prefix}/run/{_name(run)}"

    def last(self, run: str) -> str:
        return f"{self.prefix}/last/{_name(run)}"

    def records(self, run: str) -> str:
        return f"{self.prefix}/record/{_name(run)}/"

    def batch(self, run: str, first: int) -> str:
        return f"{self.records(run)}{first:08d}"

    def lease(self, topology: str) -> str:
        return f"{self.prefix}/lease/{_name(topology)}"

    def epoch(self, topology: str) -> str:
        return f"{self.prefix}/epoch/{_name(topology)}"

    def marks(self, topology: str) -> str:
        return f"{self.prefix}/mark/{_name(topology)}/"

    def mark(self, topology: str, kind: str, subject: str) -> str:
        return f"{self.marks(topology)}{_name(kind)}/{_name(subject)}"

    def alive(self, topology: str) -> str:
        return f"{self.prefix}/alive/{_name(topology)}"


def _name(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")


def new_token() -> str:
    return secrets.token_hex(8)


# -- what is asked


def value_is(key: str, value: str) -> Document:
    """Holds if the key is there with just this value."""
    return {"key": _coded(key), "target": "VALUE", "result": "EQUAL", "value": _coded(value)}


def unchanged_since(key: str, revision: int) -> Document:
    """Holds if the key was last changed at `revision`; 0 for a key that must not be there."""
    return {"key": _coded(key), "target": "MOD", "result": "EQUAL", "mod_revision": str(revision)}


def none_newer(folder: str, revision: int) -> Document:
    """Holds if no key below `folder` was made or changed after `revision` (etcd, "Transaction", `range_end` of a Compare)."""
    start, end = _span(folder)
    return {"key": start, "range_end": end, "target": "MOD", "result": "LESS", "mod_revision": str(revision + 1)}


def put(key: str, value: str, lease: str | None = None) -> Document:
    return {"request_put": {"key": _coded(key), "value": _coded(value)} | ({"lease": lease} if lease else {})}


def remove(key: str) -> Document:
    return {"request_delete_range": {"key": _coded(key)}}


def get(key: str) -> Document:
    return {"request_range": {"key": _coded(key)}}


def get_below(folder: str, after: str = "", limit: int = 0) -> Document:
    """Keys that begin with `folder`, in order, those behind `after`."""
    start, end = _span(folder)
    return {"request_range": {"key": _coded(f"{after}\0") if after else start, "range_end": end, "limit": str(limit)}}


def _span(folder: str) -> tuple[str, str]:
    """Of all keys that begin with it: the first one possible, and the first one behind."""
    return _coded(folder), _coded(folder[:-1] + chr(ord(folder[-1]) + 1))


def transaction(when: Sequence[Document], do: Sequence[Document], otherwise: Sequence[Document] = ()) -> Document:
    """All of `do` if every comparison holds, else all of `otherwise`."""
    return {"compare": list(when), "success": list(do), "failure": list(otherwise)}


# -- what is answered


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One key with its value. `created` and `changed` are revisions of the whole store, so they tell what came first."""

    key: str
    value: str
    created: int
    changed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a transaction did. `found` has the answer of each range, in order; `more` if the last one was cut at its limit."""

    held: bool
    revision: int
    found: tuple[tuple[Found, ...], ...]
    more: bool

    def one(self, number: int) -> Found | None:
        """The single key of the range with this number."""
        return self.found[number][0] if self.found[number] else None


def answer_of(document: Mapping[str, Any]) -> Answer:
    """StoreFailed if it is no answer of etcd's. The gateway leaves out what is false, zero or empty (protobuf, "JSON Mapping")."""
    try:
        ranges = [entry["response_range"] for entry in document.get("responses", ()) if "response_range" in entry]
        return Answer(
            held=bool(document.get("succeeded", False)),
            revision=int(document["header"]["revision"]),
            found=tuple(tuple(_found(kv) for kv in found.get("kvs", ())) for found in ranges),
            more=bool(ranges and ranges[-1].get("more", False)),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StoreFailed(f"etcd's answer can't be read: {error}", hint="is this an etcd of version 3.4 or later?") from error


def _found(kv: Mapping[str, Any]) -> Found:
    return Found(
        key=_decoded(kv["key"]),
        value=_decoded(kv.get("value", "")),
        created=int(kv["create_revision"]),
        changed=int(kv["mod_revision"]),
    )


def _coded(text: str) -> str:
    return b64encode(text.encode()).decode()


def _decoded(text: str) -> str:
    return b64decode(text).decode(errors="replace")
