"""A route that is a key in Consul's key/value store.

Sources: Consul HTTP API, "KV Store", and agent/kvs_endpoint.go: `PUT /v1/kv/KEY?cas=N` answers `true`, or `false` and does nothing if the
key's ModifyIndex is not N (0: the key must not be there); a PUT without `flags` sets them to 0; a missing key is 404; `?consistent` asks
the leader. Newer agents refuse keys with other characters than letters, digits and `, - _ . /`.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error
from dataclasses import field, replace
from typing import cast

from interlock.dataclass import dataclass
from interlock.documents.fields import Field, Kind
from interlock.errors import OutcomeUnknown, StatementFailed, Unreachable
from interlock.model.facts import HttpResult
from interlock.model.topology import RouteSpec, SecretRef
from interlock.ports import Route
from interlock.routes.http_api import CA, TIMEOUT, URL, Api, api_of, json_of, no_name
from interlock.routes.keys import FIELDS as KEY_FIELDS
from interlock.routes.keys import Held, key_place
from interlock.routes.parts import RouteParts, RouteType
from interlock.routes.pointer import PointerRoute

_KEY = re.compile(r"(?!.*\.\.)[A-Za-z0-9,_.-]+(/[A-Za-z0-9,_.-]+)*")
_WORD = re.compile(r"[A-Za-z0-9_-]+")

FIELDS = (
    URL,
    *(replace(part, rule=no_name(_KEY, "a key in Consul")) if part.name in {"key", "hold_key"} else part for part in KEY_FIELDS),
    Field(name="token", kind=Kind.SECRET, doc="Where the ACL token is to be had; it needs key:read and key:write."),
    Field(
        name="datacenter",
        kind=Kind.TEXT,
        doc="Whose keys; the agent's own datacenter if it is left out.",
        rule=no_name(_WORD, "a datacenter"),
    ),
    TIMEOUT,
    CA,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsulKeys:
    """`query` is what every address ends with: the datacenter."""

    api: Api
    query: str = ""
    name: str = field(default="consul", init=False)

    def get(self, key: str, /) -> Held | None:
        answer = self.api.read_members(self.api.call("GET", f"/v1/kv/{key}?consistent{self.query}", statuses=(200, 404)))
        if answer.status == 404:
            return None
        try:
            (entry,) = json_of(answer)
            value = b64decode(entry["Value"] or "").decode()
            return Held(value=value, version=int(entry["ModifyIndex"]), beside=str(int(entry["Flags"])))
        except (KeyError, TypeError, ValueError, Error) as error:
            raise _not_consul(answer) from error

    def put(self, key: str, value: str, was: Held | None, /) -> bool:
        version, flags = (0, "0") if was is None else (was.version, was.beside)
        path = f"/v1/kv/{key}?cas={version}&flags={flags}{self.query}"
        return self._changed(self.api.ask_members(self.api.call("PUT", path, value)), key, value)

    def delete(self, key: str, was: Held, /) -> bool:
        path = f"/v1/kv/{key}?cas={was.version}{self.query}"
        return self._changed(self.api.ask_members(self.api.call("DELETE", path)), key, None)

    def script(self, key: str, value: str | None, /) -> str:
        flags = "" if value is None else "&flags=<Flags>"
        method = "DELETE" if value is None else "PUT"
        path = f"/v1/kv/{key}?cas=<ModifyIndex>{flags}{self.query}"
        (line,) = self.api.outside.script(self.api.call(method, path, value))
        return line

    def _changed(self, answer: HttpResult, key: str, value: str | None) -> bool:
        """A request whose answer was lost is sent again and finds its own write: then the key is as it should be, too."""
        if json_of(answer) is True:
            return True
        try:
            now = self.get(key)
        except Unreachable as error:
            raise OutcomeUnknown(error.message, hint=error.hint) from error
        return (None if now is None else now.value) == value


def _not_consul(answer: HttpResult) -> StatementFailed:
    return StatementFailed(f"{answer.url} answered {answer.body.strip()[:100]!r}, which is no key of Consul's", hint="is `url` an agent's?")


def _make(spec: RouteSpec, parts: RouteParts) -> Route:
    said = spec.settings
    datacenter, token = said.get("datacenter"), said.get("token")
    headers = {} if token is None else {"X-Consul-Token": parts.secrets(cast("SecretRef", token))}
    store = ConsulKeys(api=api_of(spec, parts, headers), query="" if datacenter is None else f"&dc={datacenter}")
    return PointerRoute(spec, parts, key_place(spec, parts, store))


CONSUL = RouteType(name="consul", summary="A key in Consul that whoever routes the clients reads.", fields=FIELDS, make=_make)
