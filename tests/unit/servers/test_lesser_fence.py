from __future__ import annotations

import pytest

from interlock.servers import mariadb_facts, mysql_facts


@pytest.mark.parametrize(
    ("flavor", "fence", "wanted"),
    [
        ("mysql", "super_read_only", "read_only"),
        ("mysql", "super_read_only+persisted:super_read_only=ON", "read_only+persisted:super_read_only=ON"),
        ("mysql", "super_read_only+offline_mode+persisted:read_only=OFF", "read_only+offline_mode+persisted:read_only=OFF"),
        ("mysql", "read_only+persisted:super_read_only=ON", ""),
        ("mysql", "", ""),
        ("mariadb", "", ""),
        ("mariadb", "NO_LOCK", ""),
        ("mariadb", "NO_LOCK_NO_ADMIN", "NO_LOCK"),
    ],
)
def test_administrators_come_through_and_all_else_stays(flavor: str, fence: str, wanted: str) -> None:
    facts = {"mysql": mysql_facts, "mariadb": mariadb_facts}[flavor]
    assert facts.lesser(fence) == wanted
