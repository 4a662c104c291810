"""From `etcd://HOST:PORT,HOST:PORT/PREFIX` to a place: which members, which keys, and who we are to them.

`etcds://` is the same over TLS. What may follow a `?`: `lease` (how long a lease stands without being renewed, 2s to 1h), and for TLS
`ca`, `cert` and `key`, each a file. The environment says the same: INTERLOCK_ETCD_CA, _CERT, _KEY, _USER, and _PASSWORD, which is never
on the URL: a command line is shown to every user of the machine.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import field
from urllib.parse import parse_qsl, unquote, urlsplit

from interlock.dataclass import dataclass
from interlock.decisions.leases import LEASE_TTL
from interlock.documents.values import duration_s
from interlock.errors import UsageError

FORM = "etcd://HOST:PORT,HOST:PORT…/PREFIX (etcds:// with TLS)"
_PORT = 2379
_PREFIX = "interlock"
_SHORTEST_LEASE_S, _LONGEST_LEASE_S = 2, 3600
_FILES = ("ca", "cert", "key")
_PASSWORD_HINT = "export INTERLOCK_ETCD_PASSWORD=…: a command line is seen by every user of this machine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A member's client address."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcdPlace:
    """A store in etcd. `prefix` has no slash at its ends. Without `tls` nothing is encrypted. The password is in no `repr`."""

    endpoints: tuple[Endpoint, ...]
    prefix: str = _PREFIX
    lease_s: int = int(LEASE_TTL.total_seconds())
    tls: bool = False
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)


def etcd_place(url: str, environ: Mapping[str, str]) -> EtcdPlace:
    """The place that a URL names. UsageError says what is wrong with it, and never repeats a password."""
    scheme, _, rest = url.partition("://")
    netloc, _, _ = rest.partition("/")
    user_info, at, hosts = netloc.partition("?")[0].rpartition("@")
    if ":" in user_info:
        raise UsageError("the store's URL holds a password", hint=_PASSWORD_HINT)
    try:
        split = urlsplit(url)
        said = dict(parse_qsl(split.query, keep_blank_values=True, strict_parsing=bool(split.query)))
    except ValueError as error:
        raise UsageError(f"{url!r} is not a store: {error}", hint=f"write {FORM}") from error
    tls = scheme == "etcds"
    known = {"lease", *_FILES} if tls else {"lease"}
    for name in said:
        if name not in known:
            raise UsageError(
                f"{url!r}: {name!r} is not known here", hint=_PASSWORD_HINT if name == "password" else f"known: {', '.join(sorted(known))}"
            )
    user = unquote(user_info) if at else environ.get("INTERLOCK_ETCD_USER") or None
    place = EtcdPlace(
        endpoints=_endpoints(url, hosts),
        prefix=_prefix(url, split.path),
        lease_s=_lease_s(url, said.get("lease")),
        tls=tls,
        user=user,
        password=(environ.get("INTERLOCK_ETCD_PASSWORD") or None) if user else None,
        **{name: said.get(name) or environ.get(f"INTERLOCK_ETCD_{name.upper()}") or None for name in _FILES if tls},
    )
    _check_account(place)
    return place


def _endpoints(url: str, hosts: str) -> tuple[Endpoint, ...]:
    found = []
    for text in hosts.split(","):
        try:
            split = urlsplit(f"//{text}")
            host, port = split.hostname, split.port or _PORT
        except ValueError:
            host, port = None, 0
        if not host:
            raise UsageError(f"{url!r}: {text!r} is no member's address", hint=f"write {FORM}")
        found.append(Endpoint(host=host, port=port))
    return tuple(dict.fromkeys(found))


def _prefix(url: str, path: str) -> str:
    parts = [part for part in path.split("/") if part]
    if any(part in {".", ".."} or not part.isprintable() for part in parts):
        raise UsageError(f"{url!r}: {path!r} is no prefix for keys", hint=f"write {FORM}")
    return "/".join(parts) or _PREFIX


def _lease_s(url: str, text: str | None) -> int:
    if text is None:
        return int(LEASE_TTL.total_seconds())
    seconds = duration_s(text)
    if seconds is None or seconds != int(seconds) or not _SHORTEST_LEASE_S <= seconds <= _LONGEST_LEASE_S:
        raise UsageError(
            f"{url!r}: a lease of {text!r} can't be had", hint=f"whole seconds from {_SHORTEST_LEASE_S}s to 1h, as in lease=30s"
        )
    return int(seconds)


def _check_account(place: EtcdPlace) -> None:
    if place.user and place.password is None:
        raise UsageError(f"the password of etcd's user {place.user} is not set", hint=_PASSWORD_HINT)
    if place.password and not place.tls and not _all_here(place.endpoints):
        raise UsageError("the password of etcd would cross the network in clear", hint="use etcds://")
    if bool(place.cert) != bool(place.key):
        raise UsageError("a client certificate for etcd is `cert` and `key`, and only one is given", hint="give both, or neither")


def _all_here(endpoints: Sequence[Endpoint]) -> bool:
    """Whether all members are on this machine, by an address: a name may lead anywhere."""
    try:
        return all(endpoint.host == "localhost" or ipaddress.ip_address(endpoint.host).is_loopback for endpoint in endpoints)
    except ValueError:
        return False
