"""The version that a server greets with; the reading of it is the model's."""

from __future__ import annotations

from interlock.model.versions import Version, version_of

__all__ = ["Version", "version_of"]
