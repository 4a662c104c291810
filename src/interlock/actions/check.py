"""How most checks are written: a dataclass of parameters, one look, one judgement, nothing to give to later steps."""

from __future__ import annotations

from collections.abc import Mapping


class NoOutputs:
    """Mixed into checks whose result is their verdict alone."""

    __slots__ = ()

    def outputs(self, _seen: object, /) -> Mapping[str, object]:
        return {}
