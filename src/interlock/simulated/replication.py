"""A channel from one database to another: asynchronous, in the order of the source's log, each transaction a delay after its commit."""

from __future__ import annotations

from collections.abc import Callable

from interlock.dataclass import dataclass
from interlock.errors import StatementFailed
from interlock.model.effects import (
    ChannelEffect,
    Repoint,
    SendHeartbeat,
    SetSemiSync,
    StartApplier,
    StartReceiver,
    StopApplier,
    StopReceiver,
)
from interlock.model.facts import ChannelFacts
from interlock.simulated.database import Database, Flavor, Transaction
from interlock.simulated.declared import has_more_columns


@dataclass(slots=True, kw_only=True)
class Channel:
    """`running` is its applier, `receiving` its receiver; `lag_known` False makes the server answer NULL.

    `received` and `applied` count transactions of the source's log: those that came, and those of them that the applier has been through.
    `apply_delay_s` is how much later than it comes a transaction is applied, by a slow applier. `log_begins`: so many transactions of the
    source's log are there no more.
    """

    source: Database
    target: Database
    delay_s: float = 0.002
    apply_delay_s: float = 0.0
    running: bool = True
    receiving: bool = True
    error: str = ""
    lag_known: bool = True
    received: int = 0
    applied: int = 0
    log_begins: int = 0
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
                self._forget_the_relay_log()
                self.start()
            case StopReceiver():
                self.pump()
                self.receiving = False
            case StartReceiver():
                self._forget_the_relay_log()
                self.receiving = True
                self.pump()
            case Repoint(source=source) if self.neighbour is not None:
                self._lead_from(self.neighbour(source))
            case Repoint():
                raise StatementFailed(f"{self.target.name} is led from {self.source.name} and nowhere else", server=self.target.name)
            case SendHeartbeat():
                self.pump()
            case SetSemiSync(waits=waits, acknowledges=acknowledges):
                for key, value in (("semi_sync_waits", waits), ("semi_sync_acknowledges", acknowledges)):
                    if value is not None:
                        self.target.settings[key] = f"{value:d}"

    def _forget_the_relay_log(self) -> None:
        """MariaDB by GTID throws away what it received when a thread is started while neither ran, and fetches it again: see the contract
        suite.
        """
        if not self.running and not self.receiving and self.source.flavor is Flavor.MARIADB:
            self.received = self.applied

    def _lead_from(self, source: Database) -> None:
        """By GTID: from the first transaction of its log that is missing here. A source that lacks one that is here is error 1236."""
        missing = [gtid for gtid in self.target.held.values() if source.held.get(gtid.domain, gtid).sequence < gtid.sequence]
        self.source, self.received, self.applied, self.receiving = source, 0, 0, True
        self.target.sources.clear()
        self.connect()
        if missing:
            self.stop(f"1236 {missing[0]} is not in the log of {source.name}")
        else:
            self.start()

    def pump(self) -> None:
        """Receive all that is due and can come, and apply what came."""
        if self.target.faults.down:
            self.received = self.applied  # a server that restarts fetches anew what it had not applied
        if self._can_receive() and self.received < self.log_begins:
            self.receiving, self.error = False, f"1236 the log of {self.source.name} begins later"
        while self._can_receive() and self.received < len(self.source.log) and self._is_due(self.received, self.delay_s):
            self.received += 1
        while self._can_apply() and self.applied < self.received:
            if not self._is_due(self.applied, self.delay_s + self.apply_delay_s):
                return
            transaction = self.source.log[self.applied]
            known = self.target.held.get(transaction.gtid.domain)
            if transaction.gtid.server_id != self.target.server_id and (known is None or known.sequence < transaction.gtid.sequence):
                if transaction.key in self.target.rows:
                    self.stop(f"1062 duplicate entry {transaction.key!r}")
                    return
                now_s = self.source.clock.monotonic_s()
                if has_more_columns(self.source, self.target):
                    self.target.cut.add(transaction.key)
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
                receiver=self._receiver(),
                applier=self.running,
                lag_s=lag_s if self.lag_known and self.running and self._receiver() == "Yes" else None,
                error=self.error,
                using="slave_pos",
                received=self.source.position_after(self.received),
            ),
        )

    def _receiver(self) -> str:
        """A hung source or a cut link is not noticed at once: the connection stands."""
        if not self.receiving:
            return "No"
        return "Connecting" if self.source.faults.down else "Yes"

    def _can_receive(self) -> bool:
        source, target = self.source.faults, self.target.faults
        if not self.receiving or source.down or source.hung or target.down or target.hung:
            return False
        return self.source.network.joins(self.source.name, self.target.name)

    def _can_apply(self) -> bool:
        return self.running and not self.target.faults.down and not self.target.faults.hung

    def _is_due(self, number: int, delay_s: float) -> bool:
        return self.source.log[number].at_s + delay_s <= self.source.clock.monotonic_s() + 1e-9

    def _logged(self, _transaction: Transaction) -> None:
        self.source.clock.after(self.delay_s, self.pump)
        if self.apply_delay_s:
            self.source.clock.after(self.delay_s + self.apply_delay_s, self.pump)
