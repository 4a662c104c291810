"""What an audit reads on a host: by a real grep, here and through a real sshd."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from interlock.audit.catalogue import chapters
from interlock.audit.hosts import look_at_host
from interlock.clock import SystemClock
from interlock.hosts.local import Here
from interlock.model.effects import OutsideEffect, RunCommand
from interlock.model.facts import CommandResult, HttpResult
from interlock.model.topology import ClusterName
from servers.sshd_lab import Sshd, sshd
from unit.audit.small_pair import pair

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


class Barred:
    """A host on which we may read some places only, as GNU grep tells it."""

    def run(self, effect: OutsideEffect, /) -> CommandResult | HttpResult:
        assert isinstance(effect, RunCommand)
        said = "grep: /var/spool/cron: Permission denied\ngrep: /etc/my.cnf: No such file or directory\n"
        return CommandResult(argv=effect.argv, exit_code=2, stdout="", stderr=said if "/var/spool/cron" in effect.argv else "")

    def script(self, effect: OutsideEffect, /) -> tuple[str, ...]:
        raise AssertionError(effect)


def test_what_may_not_be_read_on_a_host_is_told_and_not_taken_for_empty() -> None:
    seen = look_at_host(Barred(), EAST, host=EAST)
    assert (seen.jobs, seen.unread, seen.error) == ((), ("/var/spool/cron",), "")
    rule = next(rule for chapter in chapters() for rule in chapter.rules if rule.id == "audit.sees_all")
    assert [fault.says for fault in rule.look(replace(pair(), hosts=(seen,)))] == ["on the host of east /var/spool/cron may not be read"]
