"""What the master's host tells by SSH: jobs that set read_only, and what the option files say of the next start. Read with grep alone;
what it may not read is told.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from interlock.audit.facts import HostSeen
from interlock.errors import DriverError
from interlock.model.effects import RunCommand
from interlock.model.facts import CommandResult
from interlock.model.topology import ClusterName
from interlock.ports import Outside

JOBS = (
    "/etc/crontab",
    *(f"/etc/cron.{often}" for often in ("d", "hourly", "daily", "weekly", "monthly")),
    "/var/spool/cron",
    "/etc/systemd/system",
)
OPTION_FILES = ("/etc/my.cnf", "/etc/my.cnf.d", "/etc/mysql")
_WITHIN_S = 10.0
_SETS = r"(super_)?read_only[[:space:]]*="
_OPTION = r"^[[:space:]]*(loose[-_])?(super[-_])?read[-_]only"
_BARRED = re.compile(r"^(?:.*/)?grep: (.+): Permission denied$", re.MULTILINE)
_FOUND_OR_NOT = (0, 1, 2)
"""Of grep: 1 says that no line fits, 2 that some file could not be read or is not there, too."""
_LINES_AT_MOST = 20


def look_at_host(
    outside: Outside,
    cluster: ClusterName,
    *,
    host: ClusterName | None,
    jobs: Sequence[str] = JOBS,
    option_files: Sequence[str] = OPTION_FILES,
) -> HostSeen:
    """By SSH, or here if `host` is None."""
    unread: list[str] = []

    def lines(pattern: str, places: Sequence[str], options: str) -> tuple[str, ...]:
        argv = ("env", "LC_ALL=C", "grep", options, "-E", "-e", pattern, *places)
        done = outside.run(RunCommand(argv=argv, within_s=_WITHIN_S, exits=_FOUND_OR_NOT, host=host))
        if not isinstance(done, CommandResult):
            return ()
        unread.extend(_BARRED.findall(done.stderr))
        return tuple(done.stdout.splitlines()[:_LINES_AT_MOST])

    try:
        told, set_ = lines(_SETS, jobs, "-rn"), lines(_OPTION, option_files, "-rh")
    except DriverError as error:
        return HostSeen(cluster=cluster, error=error.message)
    return HostSeen(cluster=cluster, jobs=told, options=set_, unread=tuple(unread))
