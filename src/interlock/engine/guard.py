"""One operator at a time: the store's lease, and a lock on every master; both looked at again before each effect."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

from interlock.clock import Clock
from interlock.decisions.leases import LEASE_TTL
from interlock.errors import DriverError, LeaseLost, PairBusy, StepFailed, StoreFailed
from interlock.model.topology import ServerName
from interlock.ports import Lease, Store, World

SILENCE_S = 5.0
"""How long a master that kept us waiting is not asked again: each time-out is time in which clients wait."""

_COSTLY_S = 0.5
"""A refusal that came sooner costs nothing, and so is asked for again each time: what restarts must not take writes unseen."""


class Guard:
    """Holds the lease and the locks of one run.

    A master that does not answer can't be asked for its lock. It is then left out for a while, unless the effect touches it: the lease
    still holds the pair, and a hung standby must not keep the old writer closed. One that answers again is locked again.
    """

    def __init__(self, store: Store, lease: Lease, world: World, clock: Clock) -> None:
        self._store = store
        self.lease = lease
        self._world = world
        self._lock = f"interlock:{world.topology.name}"
        self._clock = clock
        self._silent_since_s: dict[ServerName, float] = {}
        self._kept_us_waiting: set[ServerName] = set()
        self._confirmed_at = clock.wall()
        self.lenient = False
        """On the way back, a store that fails stops nothing, as long as the locks on the servers are this run's."""

    def is_silent(self, server: ServerName) -> bool:
        """Whether it did not answer a moment ago, and let us wait for that."""
        since_s = self._silent_since_s.get(server)
        return server in self._kept_us_waiting and since_s is not None and self._clock.monotonic_s() - since_s < SILENCE_S

    def silent(self) -> set[ServerName]:
        return {server for server in self._silent_since_s if self.is_silent(server)}

    def take_locks(self, *, again: bool, tolerant: bool) -> None:
        """PairBusy if another session holds one. `again`, of a run that is taken up: a lock that the run's former process left behind is
        taken over. `tolerant`: a master that does not answer is left out, and one that let us wait a moment ago is not asked again.
        """
        for master in self._world.topology.masters():
            if tolerant and self.is_silent(master.name):
                continue
            asked_at_s = self._clock.monotonic_s()
            try:
                self._world.server(master.name).take_lock(self._lock, owner=self.lease.holder.run, again=again)
            except DriverError:
                if not tolerant:
                    raise
                self._fell_silent(master.name, asked_at_s)

    def leave_out(self, servers: Collection[ServerName], asked_at_s: float) -> None:
        """They were asked then, and had no answer."""
        for server in servers:
            self._fell_silent(server, asked_at_s)

    def check(self, touching: Collection[ServerName]) -> None:
        """LeaseLost unless the pair is ours. StoreFailed if the store can't say so. DriverError if a touched server does not answer;
        StepFailed if it answers again, after the connection that held its lock had broken.
        """
        looks: list[Callable[[], None]] = [self.renew]  # and the servers at the same time: clients may be waiting
        looks += [partial(self._see_lock, master.name, touched=master.name in touching) for master in self._world.topology.masters()]
        self._world.gather(looks)

    def _see_lock(self, server: ServerName, *, touched: bool) -> None:
        was_left_out = server in self._silent_since_s and not touched
        if was_left_out and self.is_silent(server):
            return
        asked_at_s = self._clock.monotonic_s()
        try:
            if was_left_out:
                self.recover(server)
                return
            ours = self._world.server(server).holds_lock(self._lock)
        except DriverError:
            if touched:
                raise
            self._fell_silent(server, asked_at_s)
            return
        if not ours:
            self._lock_was_lost(server)

    def _lock_was_lost(self, server: ServerName) -> None:
        """LeaseLost if another has it. Otherwise its connection broke: the lock is taken again, and StepFailed makes the run go back, for
        what it had proved of the server is no longer held.
        """
        self.recover(server)
        raise StepFailed(
            f"the connection that held the lock {self._lock} on {server} was lost; nobody else took the lock",
            hint=f"find out what hung: {server}, or the way to it",
            server=server,
        )

    def recover(self, server: ServerName) -> None:
        """Take the server's lock again if a broken connection lost it. LeaseLost if another has it, or may have had it meanwhile: the store
        does not say, and the lease was last seen to be ours longer ago than it stands.
        """
        self.renew()
        unconfirmed = self._clock.wall() - self._confirmed_at
        if unconfirmed > LEASE_TTL and not self._world.server(server).holds_lock(self._lock):
            raise LeaseLost(
                f"the lock {self._lock} on {server} was lost, and for {unconfirmed.total_seconds():.0f}s no store has said whose it is",
                hint="mend the store, see `interlock runs`, then resume or roll back",
                server=server,
            )
        try:
            self._world.server(server).take_lock(self._lock, owner=self.lease.holder.run, again=True)
        except PairBusy as busy:
            raise LeaseLost(busy.message, hint=busy.hint, server=server) from busy
        self._silent_since_s.pop(server, None)

    def renew(self) -> None:
        """Keep the lease while the run waits. LeaseLost if another has it; StoreFailed if the store can't say so (see `lenient`)."""
        try:
            self._store.check_lease(self.lease)
        except StoreFailed:
            if not self.lenient:
                raise
        else:
            self._confirmed_at = self._clock.wall()

    def release(self) -> None:
        """As far as it goes: what can't be released ends with its connection or its time."""
        for master in self._world.topology.masters():
            if not self.is_silent(master.name):
                asked_at_s = self._clock.monotonic_s()
                try:
                    self._world.server(master.name).release_lock(self._lock)
                except DriverError:
                    self._fell_silent(master.name, asked_at_s)
        try:
            self._store.release_lease(self.lease)
        except (StoreFailed, LeaseLost):
            return

    def _fell_silent(self, server: ServerName, asked_at_s: float) -> None:
        now_s = self._silent_since_s[server] = self._clock.monotonic_s()
        if now_s - asked_at_s >= _COSTLY_S:
            self._kept_us_waiting.add(server)
        else:
            self._kept_us_waiting.discard(server)
