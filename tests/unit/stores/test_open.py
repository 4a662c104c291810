from __future__ import annotations

from pathlib import Path

import pytest

from interlock.errors import UsageError
from interlock.stores.open import default_path, open_store, sqlite_path
from unit.stores.contract import HandClock, header


@pytest.mark.parametrize(
    ("url", "path"),
    [
        pytest.param("sqlite:///var/lib/x.db", "/var/lib/x.db", id="absolute"),
        pytest.param("sqlite:/var/lib/x.db", "/var/lib/x.db", id="one slash"),
        pytest.param("sqlite:x.db", f"{Path.cwd()}/x.db", id="relative"),
        pytest.param("sqlite:~/x.db", f"{Path.home()}/x.db", id="home"),
        pytest.param("sqlite:///a/b%20c?.db", "/a/b%20c?.db", id="taken as it is"),
    ],
)
def test_a_url_names_a_file(url: str, path: str) -> None:
    assert str(sqlite_path(url)) == path


@pytest.mark.parametrize(
    ("url", "message"),
    [
        pytest.param("postgres://x/y", "is not a store", id="unknown"),
        pytest.param("/var/lib/x.db", "is not a store", id="a bare path"),
        pytest.param("sqlite", "is not a store", id="no colon"),
        pytest.param("sqlite://host/x.db", "names a host", id="host"),
        pytest.param("sqlite:", "names no file", id="nothing"),
        pytest.param("sqlite:///var/lib/", "names no file", id="folder"),
        pytest.param("sqlite:///a\0b", "names no file", id="nul"),
    ],
)
def test_what_is_no_store_is_a_usage_error(url: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        open_store(url, HandClock())
    assert "sqlite:///ABSOLUTE/FILE or sqlite:FILE" in refused.value.hint


def test_without_a_url_it_lies_in_the_users_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    store = open_store(None, HandClock())
    store.create_run(header("r1"))
    store.close()
    assert default_path() == tmp_path / "interlock" / "interlock.db"
    assert default_path().is_file()


@pytest.mark.parametrize("told", [pytest.param(None, id="unset"), pytest.param("", id="empty"), pytest.param("here", id="relative")])
def test_a_state_folder_that_is_not_absolute_is_ignored(told: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if told is None:
        monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    else:
        monkeypatch.setenv("XDG_STATE_HOME", told)
    monkeypatch.setenv("HOME", "/home/anna")
    assert default_path() == Path("/home/anna/.local/state/interlock/interlock.db")
