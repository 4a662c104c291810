from __future__ import annotations

import pytest

from interlock.servers.lesser_fence import lesser


@pytest.mark.parametrize(
    ("flavor", "fence", "wanted"),
    [
        ("mysql", "super_read_only", "read_only"),
        ("mysql", "super_read_only+persisted:super_read_only=ON", "read_only+persisted:super_read_only=ON"),
        ("mysql", "super_read_only+offline_mode+persisted:read_only=OFF", "read_only+offline_mode+persisted:read_only=OFF"),
        ("mysql", "read_only+persisted:super_read_only=ON", None),
        ("mysql", "", None),
        ("mariadb", "", None),
        ("mariadb", "NO_LOCK", None),
        ("mariadb", "NO_LOCK_NO_ADMIN", "NO_LOCK"),
    ],
)
def test_administrators_come_through_and_all_else_stays(flavor: str, fence: str, wanted: str | None) -> None:
    assert lesser(flavor, fence) == wanted
