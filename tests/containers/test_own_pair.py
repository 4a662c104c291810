from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from containers.compose import ROOT, Demo, Ended, docker

_UID = 10001
_OWN = ROOT / "containers" / "own-pair.yml"


@contextmanager
def own(pair: Demo, folder: Path, mode: int = 0o400) -> Iterator[Callable[..., Ended]]:
    """Runs a command by `own-pair.yml`, with the demo's pair in the place of one's own and its passwords as secrets."""
    secrets = folder / "secrets"
    secrets.mkdir()
    for name in ("interlock", "interlock_canary"):
        file = secrets / name
        file.write_text(docker(*pair.inside("cat", f"/secrets/tool/{name}")).out)
        file.chmod(mode)
        os.chown(file, _UID, _UID)
    beside = folder / "networks.yml"
    names = ("east", "west", "clients", "control")
    networks = {name: {"external": True, "name": f"{pair.project}_{name}"} for name in names}
    beside.write_text(json.dumps({"services": {"interlock": {"networks": names}}, "networks": networks}))
    project = f"{pair.project}-own"
    words = ("compose", "--project-name", project, "--file", str(_OWN), "--file", str(beside))
    given = {"INTERLOCK_SECRETS": str(secrets), "INTERLOCK_TOPOLOGY_FILE": str(_OWN.parent / "own-topology.yaml")}
    try:
        assert docker(*words, "build", env=given, within_s=300).code == 0
        yield lambda *said: docker(*words, "run", "--rm", "--no-TTY", "interlock", *said, env=given)
    finally:
        docker(*words, "down", "--volumes", env=given)


def test_a_command_on_one_s_own_pair_reads_its_passwords_from_compose_s_secrets(pair: Demo, tmp_path: Path) -> None:
    with own(pair, tmp_path) as command:
        pair.await_replication()
        assert command("status", "--json").document["writer"] == pair.status()["writer"]
        planned = command("plan", "switchover")
        assert planned.code == 0, planned.out + planned.err


def test_a_secret_that_everybody_can_read_is_refused(pair: Demo, tmp_path: Path) -> None:
    with own(pair, tmp_path, mode=0o444) as command:
        seen = command("status")
    assert seen.code == 2
    assert "can be read by everybody" in seen.out + seen.err
