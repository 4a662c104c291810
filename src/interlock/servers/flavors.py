"""Which dialect a server speaks."""

from __future__ import annotations

import re

from interlock.errors import StatementFailed

MARIADB = "mariadb"


def flavor_of(version: str) -> str:
    """`mariadb`, `xpand` or `mysql`, from the version in a server's greeting or `@@version`.

    MariaDB up to 10.x greets with `5.5.5-10.11.6-MariaDB` (MDEV-4088: old replicas take `10.` for 1); Xpand says `5.0.45-Xpand-6.1`.
    """
    lower = version.lower()
    if "xpand" in lower or "clustrix" in lower:
        return "xpand"
    return MARIADB if MARIADB in lower else "mysql"


def version_of(version: str) -> tuple[int, int, int]:
    """The three numbers of a version; (0, 0, 0) if there are none."""
    matched = re.match(r"(?:5\.5\.5-)?(\d+)\.(\d+)\.(\d+)", version)
    if matched is None:
        return (0, 0, 0)
    major, minor, patch = (int(number) for number in matched.groups())
    return (major, minor, patch)


def refuse_other_flavors(server: str, version: str) -> None:
    """StatementFailed unless it is MariaDB 10.5 or newer."""
    flavor = flavor_of(version)
    if flavor != MARIADB:
        raise StatementFailed(
            f"{server} runs {flavor} {version}, which this version does not drive", hint="MariaDB 10.5 and newer are driven", server=server
        )
    if version_of(version) < (10, 5, 2):
        raise StatementFailed(
            f"{server} runs MariaDB {version}, older than 10.5.2", hint="its privileges and words differ; upgrade it first", server=server
        )
