"""A place that is a key in a store of keys: its value names the cluster, and whoever reads it there sends the clients.

A key is never written blindly. A write says which version of the key it was decided upon, that of the last look, and the store refuses it
if the key has changed since: so a second tool, or a second operator, is met and not overwritten.
A second key, `hold_key`, can ask the readers to keep clients waiting: `1` for waiting, `0` for not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from functools import partial
from typing import Protocol, cast

from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.documents.fields import Field, Kind
from interlock.errors import StatementFailed, UsageError
from interlock.model.effects import Hold, PointTo, Release, RestoreRoute, RouteEffect
from interlock.model.topology import ClusterName, RouteName, RouteSpec
from interlock.routes.orders import in_order
from interlock.routes.parts import RouteParts
from interlock.routes.pointer import Seen

FIELDS = (
    Field(name="key", kind=Kind.TEXT, required=True, doc="The key whose value names the cluster that gets the clients."),
    Field(name="values", kind=Kind.CLUSTER_MAP, doc="What the key holds for each cluster; the clusters' names if it is left out."),
    Field(name="hold_key", kind=Kind.TEXT, doc="A key that has its readers keep clients waiting while it is 1."),
    Field(name="hold_limit", kind=Kind.DURATION, doc="How long they keep a client waiting."),
    Field(name="notice", kind=Kind.DURATION, default=0.02, doc="How long its readers may take to see a hold; the fence waits for it."),
)

_HOLD, _FLOW = "1", "0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A key's value, its version, and what the store keeps beside it that a write must not lose."""

    value: str
    version: int
    beside: str = ""


class KeyStore(Protocol):
    """`was` is the key as it was seen, None if it was not there. A write that finds another version does nothing and returns False."""

    @property
    def name(self) -> str: ...
    def get(self, key: str, /) -> Held | None: ...
    def put(self, key: str, value: str, was: Held | None, /) -> bool: ...
    def delete(self, key: str, was: Held, /) -> bool: ...
    def script(self, key: str, value: str | None, /) -> str:
        """One line for a write, `None` for a deletion, as a person would type it; the version of the last look stays open."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPlace:
    route: RouteName
    store: KeyStore
    key: str
    values: Mapping[ClusterName, str]
    hold_key: str | None
    hold_s: float | None
    clock: Clock
    notice_s: float
    _last: dict[str, Held | None] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.store.name} {self.key}"

    def look(self) -> Seen | None:
        value = self._get(self.key)
        hold = None if self.hold_key is None else self._get(self.hold_key)
        raw = {name: held.value for name, held in (("value", value), ("hold", hold)) if held is not None}
        cluster = next((cluster for cluster, text in self.values.items() if value is not None and text == value.value), None)
        return Seen(cluster=cluster, holding=hold is not None and hold.value == _HOLD, raw=raw)

    def script(self, effect: RouteEffect, /) -> tuple[str, ...]:
        return tuple(self.store.script(key, value) for key, value in self._orders(effect))

    def apply(self, effect: RouteEffect, /) -> None:
        in_order([partial(self._write, key, value) for key, value in self._orders(effect)])
        if isinstance(effect, Hold) and self.hold_key is not None:
            self.clock.sleep(self.notice_s)  # a reader that has not seen it yet sends new clients to the server that is fenced next

    def _write(self, key: str, value: str | None) -> None:
        was = self._last.pop(key) if key in self._last else self.store.get(key)
        if not _written(self.store, key, value, was):
            raise StatementFailed(
                f"route {self.route}: {key} at {self.store.name} was changed by somebody else since it was looked at",
                hint="see who else writes it",
            )

    def _get(self, key: str) -> Held | None:
        self._last[key] = self.store.get(key)
        return self._last[key]

    def _orders(self, effect: RouteEffect) -> tuple[tuple[str, str | None], ...]:
        hold = () if self.hold_key is None else (self.hold_key,)
        match effect:
            case Hold():
                return tuple((key, _HOLD) for key in hold)
            case Release():
                return tuple((key, _FLOW) for key in hold)
            case PointTo(cluster=cluster):
                return ((self.key, self.values[cluster]), *((key, _FLOW) for key in hold))
            case RestoreRoute(seen=seen):
                raw: Mapping[str, str] = next((endpoint.raw for endpoint in seen.endpoints), {})
                return ((self.key, raw.get("value")), *((key, raw.get("hold")) for key in hold))


def _written(store: KeyStore, key: str, value: str | None, was: Held | None) -> bool:
    if value is not None:
        return store.put(key, value, was)
    return was is None or store.delete(key, was)


def key_place(spec: RouteSpec, parts: RouteParts, store: KeyStore) -> KeyPlace:
    """From the settings that `FIELDS` names. UsageError if two clusters can't be told apart, or a hold has no limit."""
    said = spec.settings
    values = cast("Mapping[ClusterName, str]", said.get("values") or {cluster: str(cluster) for cluster in parts.topology.clusters})
    if len(set(values.values())) != len(values):
        raise UsageError(f"route {spec.name}: two clusters have the same value in `values`")
    if (said.get("hold_key") is None) != (said.get("hold_limit") is None):
        raise UsageError(f"route {spec.name}: `hold_key` and `hold_limit` come together", hint="say how long the readers keep a client")
    return KeyPlace(
        route=spec.name,
        store=store,
        key=str(said["key"]),
        values=values,
        hold_key=cast("str | None", said.get("hold_key")),
        hold_s=cast("float | None", said.get("hold_limit")),
        clock=parts.clock,
        notice_s=float(str(said.get("notice", 0.02))),
    )
