"""What the stand-in refuses, numbered as Xpand does: 1 for most, and a number of its own in brackets (reference, IS_USED_LOCK)."""

from __future__ import annotations


class Refusal(Exception):
    """The answer to a statement is an error."""

    def __init__(self, words: str, number: int = 1) -> None:
        super().__init__(words)
        self.words = words
        self.number = number


def syntax(statement: str) -> Refusal:
    return Refusal(f"[16389] Syntax error near: {' '.join(statement.split())[:60]}")


def read_only() -> Refusal:
    return Refusal("[30720] Database is in read-only mode")


def denied(privilege: str) -> Refusal:
    return Refusal(f"[4097] Permission denied: {privilege} is required")
