"""Which kind of server of those that can be had is nearest to a pair's."""

from __future__ import annotations

import re

from interlock.errors import UsageError
from interlock.model.versions import Version, version_of
from interlock.sandbox.kinds import KINDS, Kind
from interlock.sandbox.template import version_text

_VERSION = re.compile(rb"Ver (\d+\.\d+\.\d+)")


def nearest(flavor: str, version: str) -> Kind:
    """Of the flavor's kinds whose programs are there. UsageError if there is none."""
    found = {kind.name: its for kind in KINDS.values() if kind.flavor == flavor and (its := _version(kind)) is not None}
    if not found:
        install = " | ".join(kind.install for kind in KINDS.values() if kind.flavor == flavor)
        raise UsageError(f"no server of {flavor} is installed here", hint=install or f"a sandbox runs {', '.join(KINDS)}")
    wanted = version_of(version)
    return KINDS[min(found, key=lambda name: distance(found[name], wanted))]


def distance(one: Version, other: Version) -> tuple[int, int]:
    """In releases (10.11 is five from 10.6; another major one is far), then in patches."""
    return abs(100 * (one[0] - other[0]) + one[1] - other[1]), abs(one[2] - other[2])


def _version(kind: Kind) -> Version | None:
    """None if its program is not there."""
    try:
        program = kind.program_path(kind.program, kind.install)
    except UsageError:
        return None
    found = _VERSION.search(version_text(program))
    return version_of(found[1].decode()) if found is not None else None
