"""What an audit reads on a host: by a real grep, here and through a real sshd."""

from __future__ import annotations

from pathlib import Path

from interlock.audit.hosts import look_at_host
from interlock.clock import SystemClock
from interlock.hosts.local import Here
from interlock.model.topology import ClusterName
from servers.sshd_lab import Sshd, sshd

EAST = ClusterName("east")


def test_jobs_and_option_files_that_set_read_only_are_found_by_ssh(tmp_path: Path) -> None:
    jobs, files = tmp_path / "cron.d", tmp_path / "mysql"
    jobs.mkdir()
    files.mkdir()
    (jobs / "keep-open").write_text("# nightly\n0 3 * * * root mysql -e 'SET GLOBAL read_only = 0'\n")
    (jobs / "other").write_text("0 3 * * * root true\n")
    (files / "my.cnf").write_text("[mysqld]\nread-only = 1\n#read_only=0\n")
    with sshd(tmp_path) as server:
        places = {"jobs": (str(jobs), "/nowhere"), "option_files": (str(files),)}
        seen = look_at_host(_outside(server), EAST, host=EAST, **places)
        assert seen.jobs == (f"{jobs}/keep-open:2:0 3 * * * root mysql -e 'SET GLOBAL read_only = 0'",)
        assert (seen.options, seen.error) == (("read-only = 1",), "")
        assert look_at_host(_outside(server), EAST, host=None, jobs=("/nowhere",), option_files=("/nowhere",)).jobs == ()
        server.stop()
        assert look_at_host(_outside(server), EAST, host=EAST, **places).error


def _outside(server: Sshd) -> Here:
    return Here(SystemClock(), {EAST: server.spec})
