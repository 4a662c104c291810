"""What is wrong, and what to do about it: the same shape everywhere."""

from __future__ import annotations

from collections.abc import Iterable

from interlock.report.tables import printable, wrapped


def problem_lines(problems: Iterable[tuple[str, str]], width: int) -> list[str]:
    """Each problem wrapped behind its mark, its hint below it. A hint is a line or several."""
    lines: list[str] = []
    for what, hint in problems:
        lines += hanging("  ✗ ", what, width)
        for number, part in enumerate(hint.split("\n") if hint else []):
            lines += hanging("    hint: " if number == 0 else "          ", part, width)
    return lines


def hanging(head: str, text: str, width: int) -> list[str]:
    """`text` behind `head`, its further lines below its first one. Line breaks in it are kept; other control characters are escaped."""
    room = max(20, width - len(head))
    parts = [part for line in text.split("\n") for part in wrapped(printable(line), room)]
    return [f"{head if number == 0 else ' ' * len(head)}{part}".rstrip() for number, part in enumerate(parts)]
