"""An audit that was kept and is damaged is named, with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.audit.history import last_of
from interlock.errors import StatementFailed


@pytest.mark.parametrize("text", ["", "[1]", "{}", '{"findings": 1', "[" * 100_000], ids=["empty", "list", "other", "cut off", "deep"])
def test_a_kept_audit_that_can_not_be_read_is_named(tmp_path: Path, text: str) -> None:
    place = tmp_path / "audits" / "shop" / "20260301-120000-000000.json"
    place.parent.mkdir(parents=True)
    place.write_text(text)
    with pytest.raises(StatementFailed, match=r"20260301-120000-000000\.json can't be read") as raised:
        last_of(tmp_path, "shop")
    assert raised.value.hint.startswith("remove it")
