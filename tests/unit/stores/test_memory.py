from __future__ import annotations

import pytest

from interlock.errors import StoreFailed
from interlock.simulated.store import MemoryStore
from unit.stores.contract import HandClock, header, record


def test_a_loss_of_power_takes_what_was_not_durable() -> None:
    store = MemoryStore(HandClock())
    for run in ("r1", "r2"):
        store.create_run(header(run))
    store.append("r1", [record(1)], durable=False)
    store.append("r2", [record(1)], durable=True)
    store.append("r1", [record(2)], durable=False)
    store.lose_power()
    assert store.records("r1") == (record(1),)
    assert store.records("r2") == (record(1),)


def test_a_full_disk_is_met_when_room_is_made() -> None:
    store = MemoryStore(HandClock())
    store.create_run(header("r1"))
    store.is_full = True
    with pytest.raises(StoreFailed, match="the disk is full"):
        store.reserve("r1", 1000)
