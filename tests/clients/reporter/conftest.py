"""Fixtures: one real server behind a gate, and the reporter of a job that is registered there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.reporter.gate import Gate
from tests.clients.reporter.job import Job
from tests.support.processes.server import Server, running


@pytest.fixture(scope="package")
def milepost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for all tests of the package; each test has a job of its own."""
    with running(tmp_path_factory.mktemp("milepost")) as server:
        yield server


@pytest.fixture
def gate(milepost: Server) -> Iterator[Gate]:
    """An open gate before the server."""
    made = Gate(milepost.port)
    yield made
    made.close()


@pytest.fixture
def job(milepost: Server, gate: Gate, tmp_path: Path) -> Job:
    """A job that is registered and has no callback."""
    return Job(milepost, gate, tmp_path)
