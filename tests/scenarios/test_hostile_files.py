"""Files that are broken, truncated, enormous or made by an enemy: clear problems, never a traceback, and never an effect on the pair."""

from __future__ import annotations

import os
import random
import re
import sqlite3
import subprocess
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from interlock.playbook.find import shipped_folder
from interlock.sandbox.places import Sandbox
from scenarios.command_line import PROGRAM, Ended, environment, interlock
from scenarios.pair_state import positions, state_of

_CPU_S = 3
_DATA_BYTES = 150_000_000
_MANY = 100_000


def limited(*words: str, env: dict[str, str], limits: Sequence[str] = ()) -> Ended:
    """The command with three seconds of CPU and 150 MB: with more it is killed, or crashes, and its exit code says so (prlimit(1))."""
    bounds = [f"--cpu={_CPU_S}", f"--data={_DATA_BYTES}", *limits]
    done = subprocess.run(
        ["prlimit", *bounds, *PROGRAM, *words], env=env, capture_output=True, timeout=180, check=False, stdin=subprocess.DEVNULL
    )
    return Ended(code=done.returncode, out=done.stdout.decode(), err=done.stderr.decode())


def assert_clear(done: Ended, codes: set[int], folder: Path) -> None:
    """An exit code of the contract, a few readable words, and no crash."""
    assert done.code in codes, (done.code, done.out[-2000:], done.err[-2000:])
    assert "Traceback" not in done.out + done.err
    assert not list(folder.rglob("crash-*.txt"))
    assert 10 < len(done.out + done.err) < 200_000
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", done.out + done.err), "control characters reach the terminal"


def _sparse(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.truncate(size)


_NASTY = '"we`s\'t\\n\\\\\\" OR 1=1"'
_TEXTS: dict[str, Callable[[str], bytes]] = {
    "empty": lambda _: b"",
    "zeros": lambda _: bytes(10_000),
    "not UTF-8": lambda text: text.encode() + b"\xff\xfe\xc0",
    "UTF-16": lambda text: text.encode("utf-16"),
    "control characters": lambda text: text.encode() + b"\x1b[2J\x07: 1\n",
    "half of it": lambda text: text.encode()[: len(text) // 2] + b"\n  - {",
    "garbled": lambda text: _garbled(text.encode()),
    "aliases": lambda text: text.encode() + b"x: &x [1]\ny: [*x, *x]\n",
    "a billion laughs": lambda _: _laughs(),
    "keys twice": lambda text: (text + text).encode(),
    "deeply nested": lambda _: b"topology: " + b"[" * _MANY,
    "deeply nested maps": lambda _: b"".join(b" " * n + b"k:\n" for n in range(1500)),
    "a tag of Python's": lambda text: text.encode() + b"x: !!python/object/apply:os.system ['touch /tmp/interlock-was-here']\n",
    "two documents": lambda text: f"{text}\n---\n{text}".encode(),
    "one long line": lambda _: b"a" * 5_000_000,
    "many unknown keys": lambda text: text.encode() + b"".join(b"k%d: 1\n" % n for n in range(_MANY)),
    "names with quotes": lambda text: re.sub("west|preflight", lambda _: _NASTY, text).encode(),
}


def _garbled(text: bytes) -> bytes:
    chance = random.Random(7)  # noqa: S311 - to be repeated, not to hide
    return bytes(byte ^ (chance.randrange(256) if chance.random() < 0.05 else 0) for byte in text)


def _laughs() -> bytes:
    lines = [b"a0: &a0 [lol]"] + [b"a%d: &a%d [%s]" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 12)]
    return b"\n".join(lines)


_FILES: dict[str, Callable[[Path], object]] = {
    "300 MB": lambda path: _sparse(path, 300_000_000),
    "a folder": lambda path: path.mkdir(),
    "a pipe that nobody writes to": os.mkfifo,
    "a device without an end": lambda path: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path: path.symlink_to(path),
}


@pytest.fixture
def env(pair: Sandbox, tmp_path: Path) -> dict[str, str]:
    return environment(pair, tmp_path)


@pytest.mark.parametrize("make", [*_TEXTS.values(), *_FILES.values()], ids=[*_TEXTS, *_FILES])
@pytest.mark.parametrize("kind", ["topology", "playbook"])
def test_a_hostile_file_is_refused_where_it_stands_and_nothing_is_touched(
    pair: Sandbox, env: dict[str, str], tmp_path: Path, kind: str, make: Callable[..., object]
) -> None:
    before = state_of(pair), positions(pair)
    path = tmp_path / f"hostile-{kind}.yaml"
    made = make(path) if make in _FILES.values() else make(_good(pair, kind))
    if isinstance(made, bytes):
        path.write_bytes(made)
    words = ("-t", str(path), "run", "switchover") if kind == "topology" else ("run", str(path))
    done = limited(*words, env=env)
    assert_clear(done, {2}, tmp_path)
    assert path.name in done.err or "there is no file" in done.err
    assert done.out == ""
    assert (state_of(pair), positions(pair)) == before


def _good(pair: Sandbox, kind: str) -> str:
    return Path(pair.topology).read_text() if kind == "topology" else (shipped_folder() / "switchover.yaml").read_text()


@pytest.mark.parametrize("text", ["aliases", "keys twice", "many unknown keys", "names with quotes"])
def test_a_problem_of_a_text_says_its_line_and_column(env: dict[str, str], pair: Sandbox, tmp_path: Path, text: str) -> None:
    path = tmp_path / "hostile.yaml"
    path.write_bytes(_TEXTS[text](_good(pair, "topology")))
    assert re.search(rf"^{re.escape(str(path))}:[1-9]\d*:[1-9]\d*: ", limited("-t", str(path), "status", env=env).err, re.MULTILINE)


_PLAYBOOK = """\
playbook: many
version: 1
summary: Many inputs.
inputs:
{inputs}phases:
- phase: look
  steps:
  - check: runs.none_unfinished
"""


def test_a_playbook_with_a_hundred_thousand_inputs_ends_in_a_verdict(pair: Sandbox, env: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "many.yaml"
    path.write_text(_PLAYBOOK.format(inputs="".join(f"  i{n}: {{type: duration, default: 1s}}\n" for n in range(_MANY))))
    before = state_of(pair)
    assert_clear(limited("run", str(path), env=env), {2}, tmp_path)
    assert state_of(pair) == before


def test_a_hundred_thousand_inputs_on_the_command_line_are_refused(pair: Sandbox, env: dict[str, str], tmp_path: Path) -> None:
    before = state_of(pair)
    done = limited("run", "switchover", *(f"-ii{n}=1" for n in range(_MANY)), env=env)
    assert_clear(done, {2}, tmp_path)
    assert f"the command line has {_MANY + 2} words" in done.err
    assert state_of(pair) == before


@pytest.mark.parametrize(
    "value",
    [
        "`west`",
        "west'; SET GLOBAL read_only=0; -- ",
        'we"st',
        "west\nwest",
        "we\x1b[2Jst",
        "../west",
        "$(touch /tmp/x)",
        "${inputs.to}",
        "",
    ],
)
def test_a_hostile_value_of_an_input_is_refused(pair: Sandbox, env: dict[str, str], tmp_path: Path, value: str) -> None:
    before = state_of(pair)
    done = limited("switchover", "--to", value, env=env)
    assert_clear(done, {2, 3}, tmp_path)
    assert state_of(pair) == before


# -- the store --


def _filled(env: dict[str, str]) -> Path:
    """A store with one finished run."""
    assert interlock("run", "switchover", "-i", "max_lag=0s", env=env).code in {0, 3}
    return Path(env["INTERLOCK_STORE"].removeprefix("sqlite://"))


def _spoil(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def _overwrite(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _instead(path: Path, make: Callable[[], object]) -> None:
    path.unlink()
    make()


_STORES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: _overwrite(path, b""),
    "text": lambda path: _overwrite(path, b"no database at all\n" * 100),
    "half of it": lambda path: os.truncate(path, path.stat().st_size // 2),
    "all but its head garbled": lambda path: _overwrite(path, path.read_bytes()[:4096] + os.urandom(path.stat().st_size - 4096)),
    "its head garbled": lambda path: _overwrite(path, os.urandom(4096) + path.read_bytes()[4096:]),
    "of another program": lambda path: _spoil(path, "PRAGMA application_id = 17"),
    "of a newer version": lambda path: _spoil(path, "PRAGMA user_version = 99"),
    "without its tables": lambda path: _spoil(path, "DROP TABLE run"),
    "a folder": lambda path: _instead(path, path.mkdir),
    "a pipe": lambda path: _instead(path, partial(os.mkfifo, path)),
    "a device": lambda path: _instead(path, partial(path.symlink_to, "/dev/zero")),
    "300 MB of nothing": lambda path: _sparse(path, 300_000_000),
}


@pytest.mark.parametrize("spoil", _STORES.values(), ids=_STORES)
def test_a_store_that_is_none_refuses_before_anything_is_touched(
    pair: Sandbox, env: dict[str, str], tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    spoil(_filled(env))
    before = state_of(pair), positions(pair)
    for words in (("runs",), ("run", "switchover")):
        done = limited(*words, env=env)
        assert_clear(done, {2, 3}, tmp_path)
        assert "runs.db" in done.err + done.out
    assert (state_of(pair), positions(pair)) == before


_RECORDS = {
    "no JSON": "UPDATE record SET body = '{nonsense' WHERE seq = 1",
    "no object": "UPDATE record SET body = '[1]' WHERE seq = 2",
    "nested without end": f"UPDATE record SET body = '{'[' * 20_000}' WHERE seq = 1",
    "another kind": "UPDATE record SET kind = 'surprise' WHERE seq = 2",
    "no UTF-8": "UPDATE record SET body = CAST(x'ff00fe' AS TEXT) WHERE seq = 2",
    "a gap": "DELETE FROM record WHERE seq = 1",
    "no time": "UPDATE record SET at = 'yesterday' WHERE seq = 1",
    "a playbook that opens at once": ("UPDATE record SET body = json_set(body, '$.text', 'playbook: x') WHERE seq = 1"),
}


@pytest.fixture(scope="module")
def whole_store(pair: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With one run, that went all the way."""
    folder = tmp_path_factory.mktemp("whole")
    assert interlock("run", "switchover", env=environment(pair, folder)).code == 0
    return folder / "runs.db"


@pytest.mark.parametrize("statement", _RECORDS.values(), ids=_RECORDS)
def test_a_journal_that_makes_no_sense_is_neither_resumed_nor_rolled_back(
    pair: Sandbox, env: dict[str, str], tmp_path: Path, whole_store: Path, statement: str
) -> None:
    with closing(sqlite3.connect(whole_store)) as whole, closing(sqlite3.connect(tmp_path / "runs.db")) as connection, connection:
        whole.backup(connection)
        for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute("UPDATE run SET state = 'changing', outcome = NULL")
        connection.execute("DELETE FROM record WHERE kind = 'ended'")
        connection.execute(statement)
        (run,) = connection.execute("SELECT name FROM run").fetchone()
    before = state_of(pair), positions(pair)
    for word in ("resume", "rollback", "show"):
        done = limited(word, run, env=env)
        assert_clear(done, {2, 3} if word != "show" else {0, 2, 3}, tmp_path)
    assert (state_of(pair), positions(pair)) == before


def test_a_full_disk_refuses_before_the_first_effect(pair: Sandbox, env: dict[str, str], tmp_path: Path) -> None:
    """No file may grow beyond a megabyte: there is room for the store, and none for a run's records."""
    before = state_of(pair), positions(pair)
    done = limited("run", "switchover", "--json", env=env, limits=["--fsize=1000000"])
    assert_clear(done, {3}, tmp_path)
    assert done.document["outcome"] == "refused"
    assert "runs.db" in done.document["problems"][0]["what"]
    assert (state_of(pair), positions(pair)) == before
    assert interlock("run", "switchover", env=env).code == 0  # and with room it goes on, after no unfinished run
    assert interlock("run", "switchover", env=env).code == 0
