"""The password is in no output, journal, process list, environment of a hook or crash file, wherever the topology says to find it."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from interlock.sandbox.places import Sandbox
from scenarios.command_line import Ended, environment, interlock
from scenarios.pair_state import switchover_with
from scenarios.routed import Moved, running, sandbox_with, secret_file
from servers.haproxies import network
from servers.http_stand_ins import Request, StandIn

_VARIABLE = "INTERLOCK_TEST_PASSWORD"

# What a hook can see: its own environment, and the arguments of every process, Interlock's among them.
_LOOKS = "cat /proc/self/environ; cat /proc/[0-9]*/cmdline"

_SOURCES = {
    "a file": lambda pair: f"{{file: {pair.password_file('interlock')}}}",
    "the environment": lambda _: f"{{env: {_VARIABLE}}}",
    "a command": lambda pair: f"{{command: [cat, {pair.password_file('interlock')}]}}",
}


def _topology(pair: Sandbox, folder: Path, source: str) -> str:
    text = Path(pair.topology).read_text()
    said = re.compile(r"(  user: interlock\n  password: )\{.*\}")
    assert said.search(text)
    path = folder / "topology.yaml"
    path.write_text(said.sub(lambda found: found[1] + source, text, count=1))
    return str(path)


@pytest.mark.parametrize("source", _SOURCES.values(), ids=_SOURCES)
def test_no_output_journal_process_or_hook_shows_the_password(pair: Sandbox, tmp_path: Path, source: Callable[[Sandbox], str]) -> None:
    secrets = [pair.password(account) for account in ("interlock", "interlock_canary")]
    seen = tmp_path / "seen-by-a-hook"
    step = f"- check: command\n    with: {{run: [sh, -c, '({_LOOKS}) > {seen}; exit 0'], within: 20s}}"
    fails = '- check: command\n    with: {run: [echo, "not well"], matches: "all is well"}'
    playbook = switchover_with(tmp_path / "looks.yaml", put={"drain": step, "verify": fails})
    env = {**environment(pair, tmp_path), "INTERLOCK_TOPOLOGY": _topology(pair, tmp_path, source(pair)), _VARIABLE: secrets[0]}
    rolled_back = interlock("run", playbook, "--json", env=env)
    assert rolled_back.code == 4, rolled_back
    run = rolled_back.document["run"]
    said = [rolled_back, *(interlock(*words, env=env) for words in (("status", "--json"), ("plan", playbook), ("show", run, "--json")))]
    assert b"PATH=" in seen.read_bytes()
    assert b"mariadbd" in seen.read_bytes()
    written = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert any(path.name.startswith("runs.db") for path in written)
    for secret in secrets:
        assert not [each for each in said if secret in each.out + each.err]
        assert not [path for path, data in written.items() if secret.encode() in data]


def test_a_wrong_password_is_not_repeated(pair: Sandbox, tmp_path: Path) -> None:
    wrong = "hunter2-and-more"
    env = {**environment(pair, tmp_path), "INTERLOCK_TOPOLOGY": _topology(pair, tmp_path, f"{{env: {_VARIABLE}}}"), _VARIABLE: wrong}
    for words in (("run", "switchover"), ("status",), ("plan", "switchover", "--json")):
        done = interlock(*words, env=env)
        assert "Access denied" in done.out + done.err, done
        assert wrong not in done.out + done.err
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and wrong.encode() in path.read_bytes()]


_CRASHES = """\
import sys
from interlock.cli.main import main
from interlock.engine.runs import Engine

def start(self, *args, **kwargs):
    secret = open(sys.argv.pop()).read().strip()
    self.world.server("east").facts()
    raise RuntimeError(f"unforeseen, with {secret} in it")

Engine.start = start
sys.exit(main(sys.argv[1:-1]))
"""


def test_a_crash_file_is_private_and_has_no_password(pair: Sandbox, tmp_path: Path) -> None:
    """The program crashes with the password in its error's text."""
    words = [sys.executable, "-c", _CRASHES, "run", "switchover", str(pair.password_file("interlock"))]
    done = subprocess.run(words, env=environment(pair, tmp_path), capture_output=True, text=True, timeout=180, check=False)
    ended = Ended(code=done.returncode, out=done.stdout, err=done.stderr)
    assert (ended.code, "Traceback" in ended.err, "crashed: RuntimeError" in ended.err) == (1, False, True), ended
    (crash,) = tmp_path.rglob("crash-*.txt")
    assert "unforeseen, with ***" in crash.read_text()
    assert pair.password("interlock") not in crash.read_text() + ended.out + ended.err
    assert stat.S_IMODE(crash.stat().st_mode) == 0o600


_ACCOUNT = "switcher", 'p"ss w/rd+ten'


class Echo:
    """A service that repeats how a request logged in, coded and not, in whatever it answers; and fails the flip to west."""

    def __init__(self) -> None:
        self.to = "east"

    def handle(self, request: Request) -> tuple[int, object]:
        login = request.headers.get("authorization", "")
        forms = [login, b64decode(login.partition(" ")[2]).decode(), *(form(_ACCOUNT[1]) for form in (quote, json.dumps))]
        if request.method == "GET":
            return 200, {"active": self.to, "you": forms}
        if "west" in request.body:
            return 500, f"{'.' * 150}{' '.join(forms)} {request.body}"
        self.to = "east"
        return 200, " ".join(forms)


def test_what_a_service_repeats_of_a_login_is_in_no_output_and_no_journal(pair: Sandbox, tmp_path: Path) -> None:
    """From end to end: the run goes back over an error that has the password in it, in each form."""
    coded = b64encode(":".join(_ACCOUNT).encode()).decode()
    with running(StandIn(f"{network()}.8", 8080, Echo().handle)) as service:
        settings = {
            "type": "webhook",
            "flip": {"url": f"{service.url}/switch", "body": '{"to": "{to}"}'},
            "show": {"url": f"{service.url}/state", "pointer": "/active"},
            "user": _ACCOUNT[0],
            "password": secret_file(pair, "echoed", _ACCOUNT[1]),
        }
        moved = Moved(settings=settings, clients=(pair.proxy.host, pair.proxy.port), stop=service.stop, start=service.start)
        env = environment(sandbox_with(pair, {"echoed": moved}, tell_clients=False), tmp_path)
        rolled_back = interlock("run", "switchover", "-i", "to=west", "--json", env=env)
        assert rolled_back.code == 4, rolled_back
        run = rolled_back.document["run"]
        told = [
            interlock(*words, env=env) for words in (("show", run, "--json"), ("show", run), ("status", "--json"), ("plan", "switchover"))
        ]
    assert "***" in rolled_back.out, "it was repeated, and struck out"
    written = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert any(path.name.startswith("runs.db") for path in written)
    for secret in (coded, _ACCOUNT[1], quote(_ACCOUNT[1]), json.dumps(_ACCOUNT[1])[1:-1]):
        assert not [each for each in (rolled_back, *told) if secret[:6] in each.out + each.err], secret
        assert not [path for path, data in written.items() if secret[:6].encode() in data], secret
