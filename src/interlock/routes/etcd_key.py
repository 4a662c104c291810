"""A route that is a key in etcd, by the JSON gateway of its v3 API.

Sources: etcd documentation, "gRPC gateway" (POST of JSON, keys and values in base64, whole numbers as texts; what is empty or false is left
out) and "API reference" (`Txn` compares `mod_revision`, 0 for a key that is not there; `PutRequest.ignore_lease` keeps the key's lease and
needs the key to be there).
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from typing import Any

from interlock.dataclass import dataclass
from interlock.errors import StatementFailed
from interlock.model.facts import HttpResult
from interlock.model.topology import RouteSpec
from interlock.ports import Route
from interlock.routes.http_api import CA, PASSWORD, TIMEOUT, URL, USER, Api, account_of, api_of, json_of
from interlock.routes.keys import FIELDS as KEY_FIELDS
from interlock.routes.keys import Held, key_place
from interlock.routes.parts import RouteParts, RouteType
from interlock.routes.pointer import PointerRoute

FIELDS = (URL, *KEY_FIELDS, USER, PASSWORD, TIMEOUT, CA)

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcdKeys:
    """`account` is a user and a password; it logs in for each exchange, because a token ends whenever etcd likes (auth.md)."""

    api: Api
    account: tuple[str, str] | None = field(default=None, repr=False)
    hide: Callable[[str], None] = field(repr=False)
    name: str = field(default="etcd", init=False)

    def get(self, key: str, /) -> Held | None:
        api = self._logged_in()
        answer = api.read_members(api.call("POST", "/v3/kv/range", {"key": _coded(key)}))
        return _first(json_of(answer), answer)

    def put(self, key: str, value: str, was: Held | None, /) -> bool:
        keep = {} if was is None else {"ignore_lease": True}
        return self._change(key, value, was, {"request_put": {"key": _coded(key), "value": _coded(value)} | keep})

    def delete(self, key: str, was: Held, /) -> bool:
        return self._change(key, None, was, {"request_delete_range": {"key": _coded(key)}})

    def script(self, key: str, value: str | None, /) -> str:
        what = f"del {json.dumps(key)}" if value is None else f"put {json.dumps(key)} {json.dumps(value)}"
        return f"etcd {','.join(self.api.urls)}: txn if mod({json.dumps(key)}) = <mod_revision>: {what}"

    def _change(self, key: str, value: str | None, was: Held | None, request: Document) -> bool:
        """A request whose answer was lost is sent again and finds its own write: then the key is as it should be, too."""
        version = 0 if was is None else was.version
        compare = {"key": _coded(key), "target": "MOD", "result": "EQUAL", "mod_revision": str(version)}
        found = {"request_range": {"key": _coded(key)}}
        api = self._logged_in()
        answer = api.ask_members(api.call("POST", "/v3/kv/txn", {"compare": [compare], "success": [request], "failure": [found]}))
        document = json_of(answer)
        if document.get("succeeded"):
            return True
        now = _first(document["responses"][0]["response_range"], answer)
        return (None if now is None else now.value) == value

    def _logged_in(self) -> Api:
        """To log in changes nothing, so whatever it does not answer is Unreachable."""
        if self.account is None:
            return self.api
        user, password = self.account
        login = self.api.read_members(self.api.call("POST", "/v3/auth/authenticate", {"name": user, "password": password}))
        token = str(json_of(login).get("token"))
        self.hide(token)
        return replace(self.api, headers={**self.api.headers, "Authorization": token})


def _first(document: Document, answer: HttpResult) -> Held | None:
    try:
        kvs = document.get("kvs", ())
        return None if not kvs else Held(value=b64decode(kvs[0].get("value", "")).decode(), version=int(kvs[0]["mod_revision"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StatementFailed(
            f"{answer.url} answered {answer.body.strip()[:100]!r}, which is no key of etcd's", hint="is `url` a member of 3.4 or later?"
        ) from error


def _coded(text: str) -> str:
    return b64encode(text.encode()).decode()


def _make(spec: RouteSpec, parts: RouteParts) -> Route:
    store = EtcdKeys(api=api_of(spec, parts), account=account_of(spec, parts), hide=parts.hide)
    return PointerRoute(spec, parts, key_place(spec, parts, store))


ETCD_KEY = RouteType(name="etcd", summary="A key in etcd that whoever routes the clients reads.", fields=FIELDS, make=_make)
