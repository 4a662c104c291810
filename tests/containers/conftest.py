from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from containers.compose import Demo, demo, docker


@pytest.fixture(scope="session", params=["demo", "mysql"])
def pair(request: pytest.FixtureRequest) -> Iterator[Demo]:
    """The demo, its own run ended, and a container of the tests' beside it. MariaDB first, then MySQL: they share a network's range."""
    with demo(f"interlock-test-{os.getpid()}-{request.param}", str(request.param)) as made:
        docker("wait", made.container("interlock"), within_s=300)
        made.start_tool()
        yield made
