"""Fixtures: a server, and a place where a workflow of one registered job runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.senders.workplace import Workplace
from tests.support.processes.server import Server, running


@pytest.fixture(scope="package")
def milepost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for all examples; each has a job of its own."""
    with running(tmp_path_factory.mktemp("milepost")) as server:
        yield server


@pytest.fixture
def workplace(milepost: Server, tmp_path: Path) -> Workplace:
    """A place where a workflow runs."""
    return Workplace(milepost, tmp_path)
