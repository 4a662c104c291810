from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from containers.compose import Demo, demo, docker


@pytest.fixture(scope="session")
def pair() -> Iterator[Demo]:
    """The demo, its own run ended, and a container of the tests' beside it."""
    with demo(f"interlock-test-{os.getpid()}") as made:
        docker("wait", made.container("interlock"))
        made.start_tool()
        yield made
