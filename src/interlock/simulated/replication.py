"""A channel from one database to another: asynchronous, in the order of the source's log, each transaction a delay after its commit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from interlock.errors import StatementFailed
from interlock.model.effects import ChannelEffect, Repoint, SetSemiSync, StartApplier, StopApplier
from interlock.model.facts import ChannelFacts
from interlock.simulated.database import Database, Transaction


@dataclass(slots=True, kw_only=True)
class Channel:
    """`running` is its applier; `lag_known` False makes the server answer NULL. `applied` counts what was seen of the source's log."""

    source: Database
    target: Database
    delay_s: float = 0.002
    running: bool = True
    error: str = ""
    lag_known: bool = True
    applied: int = 0
    neighbour: Callable[[str], Database] | None = None
    """Who can be its source, by name; None for a channel between the masters, which nobody leads elsewhere."""

    def connect(self) -> None:
        """Begin to follow the source's log."""
        source = self.source
        source.acknowledging.append(lambda: self.source is source and self.target.settings.get("semi_sync_acknowledges") == "1")
        self.target.change_channel = self.change
        self.source.on_log.append(self._logged)
        self.source.on_turn.append(self.pump)
        self.target.on_turn.append(self.pump)
        self.source.network.on_heal.append(self.pump)
        self.target.channels = self.facts
        self.target.sources[self.source.name] = lambda: self.applied

    def stop(self, error: str = "") -> None:
        self.running, self.error = False, error

    def start(self) -> None:
        self.running, self.error = True, ""
        self.pump()

    def change(self, effect: ChannelEffect) -> None:
        match effect:
            case StopApplier():
                self.stop()
            case StartApplier():
                self.start()
            case Repoint(source=source) if self.neighbour is not None:
                self._lead_from(self.neighbour(source))
            case Repoint():
                raise StatementFailed(f"{self.target.name} is led from {self.source.name} and nowhere else", server=self.target.name)
            case SetSemiSync(waits=waits, acknowledges=acknowledges):
                for key, value in (("semi_sync_waits", waits), ("semi_sync_acknowledges", acknowledges)):
                    if value is not None:
                        self.target.settings[key] = f"{value:d}"

    def _lead_from(self, source: Database) -> None:
        """By GTID: from the first transaction of its log that is missing here. A source that lacks one that is here is error 1236."""
        missing = [gtid for gtid in self.target.held.values() if source.held.get(gtid.domain, gtid).sequence < gtid.sequence]
        self.source, self.applied = source, 0
        self.target.sources.clear()
        self.connect()
        if missing:
            self.stop(f"1236 {missing[0]} is not in the log of {source.name}")
        else:
            self.start()

    def pump(self) -> None:
        """Apply all that is due and can be applied."""
        while self._can_apply() and self.applied < len(self.source.log):
            transaction = self.source.log[self.applied]
            if transaction.at_s + self.delay_s > self.source.clock.monotonic_s() + 1e-9:
                return
            known = self.target.held.get(transaction.gtid.domain)
            if transaction.gtid.server_id != self.target.server_id and (known is None or known.sequence < transaction.gtid.sequence):
                if transaction.key in self.target.rows:
                    self.stop(f"1062 duplicate entry {transaction.key!r}")
                    return
                now_s = self.source.clock.monotonic_s()
                self.target.take(Transaction(gtid=transaction.gtid, key=transaction.key, at_s=now_s))
            self.applied += 1

    def facts(self) -> tuple[ChannelFacts, ...]:
        """As SHOW ALL SLAVES STATUS of the target tells."""
        # A link that is cut in silence looks healthy: the replica knows of nothing that waits (slave_net_timeout).
        waiting = self.applied < len(self.source.log) and self.source.network.joins(self.source.name, self.target.name)
        lag_s = int(self.source.clock.monotonic_s() - self.source.log[self.applied].at_s) if waiting else 0
        return (
            ChannelFacts(
                server=self.target.name,
                name="",
                source=self.source.name,
                source_address=f"{self.source.name}:3306",
                receiver="Connecting" if self.source.faults.down else "Yes",
                applier=self.running,
                lag_s=lag_s if self.lag_known and self.running and not self.source.faults.down else None,
                error=self.error,
                using="slave_pos",
            ),
        )

    def _can_apply(self) -> bool:
        source, target = self.source.faults, self.target.faults
        if not self.running or source.down or source.hung or target.down or target.hung:
            return False
        return self.source.network.joins(self.source.name, self.target.name)

    def _logged(self, _transaction: Transaction) -> None:
        self.source.clock.after(self.delay_s, self.pump)
