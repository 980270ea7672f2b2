"""Fixtures: every store for real. `stores` runs a test on memory, SQLite and PostgreSQL."""

from __future__ import annotations

import gc
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import settings

from domain.workflows.definition import Workflows
from domain.workflows.files import load
from tests.support import parts
from tests.support.dealing import dealt
from tests.support.loading import load_share
from tests.support.processes.server import Make, Server
from tests.support.stores.deployment import Clock, Deployment, prepared_env
from tests.support.stores.postgres_server import PostgresServer, create_database
from tests.support.stores.prepared import PreparedDatabases, prepare_file

MEMORY = Path("/dev/shm")  # noqa: S108  the folder that Linux keeps in memory
LEAST_FREE_BYTES = 1 << 30
# Each worker starts a PostgreSQL server and a browser of its own.
MOST_WORKERS = 8
# Speed is measured in bench/: a busy machine must not fail a test.
settings.register_profile("untimed", deadline=None)
# `.ci/run` looks at the properties of the folds, and sends random requests, with this one.
settings.register_profile("thorough", deadline=None, max_examples=1_000)
settings.load_profile("untimed")


@pytest.hookimpl(optionalhook=True)  # of xdist, without which the tests run, too
def pytest_xdist_auto_num_workers() -> int:
    """Run one worker more than there are cores: a third of the time tests wait for processes."""
    return min((os.cpu_count() or 1) + 1, MOST_WORKERS)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Let each worker load another share of the modules first, if all tests run.

    What is loaded and collected is never garbage, so the collector need not look for it there.
    """
    gc.disable()
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1 and session.config.args == session.config.getini("testpaths"):
        worker = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
        load_share(Path(__file__).parent, worker, workers)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each worker begin with its share of the longest.

    They wait for processes, and other tests can use the cores meanwhile.
    """
    items.sort(key=lambda item: "test_crashes" not in item.nodeid)
    items[:] = dealt(
        items,
        int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")),
        is_long=lambda item: item.nodeid.startswith("tests/e2e/"),
        file_of=lambda item: item.nodeid.partition("::")[0],
    )


def pytest_collection_finish() -> None:
    """Let the garbage collector pass by all that was collected: 13,000 tests, and their modules.

    Visiting them again and again took an eighth of the time of tests that start no process.
    """
    gc.collect()
    gc.freeze()
    # Tests make more objects than a program that answers requests: collect less often.
    gc.set_threshold(20_000)
    gc.enable()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how long each part of the suite took."""
    reports = [report for some in terminalreporter.stats.values() for report in some]
    workers = terminalreporter.config.getoption("numprocesses", None) or 1
    for line in parts.lines(reports, workers):
        terminalreporter.write_line(line)


def pytest_configure() -> None:
    """Heed Ctrl-C and a hang-up, and let the programs of the tests inherit that.

    A shell lets what it runs in the background ignore both.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
def clock() -> Clock:
    """A clock at noon."""
    return Clock()


@pytest.fixture(scope="session")
def workflows() -> Workflows:
    """The shipped definitions."""
    return load()


@pytest.fixture(scope="session")
def postgres_server_dsn() -> Iterator[str]:
    """The server named by MILEPOST_TEST_DATABASE_URL, or one that this session starts."""
    if given := os.environ.get("MILEPOST_TEST_DATABASE_URL"):
        yield given
        return
    server = PostgresServer()
    try:
        server.start()
        yield server.dsn
    finally:
        server.remove()


@pytest.fixture
def postgres_dsn(postgres_server_dsn: str) -> str:
    """An empty PostgreSQL database."""
    return create_database(postgres_server_dsn)


@pytest.fixture(scope="session")
def prepared_databases(postgres_server_dsn: str) -> Iterator[PreparedDatabases]:
    """PostgreSQL databases with empty tables."""
    with closing(PreparedDatabases(postgres_server_dsn)) as prepared:
        yield prepared


@pytest.fixture
def prepared_dsn(prepared_databases: PreparedDatabases) -> Iterator[str]:
    """A PostgreSQL database with empty tables."""
    with prepared_databases.lent() as dsn:
        yield dsn


@pytest.fixture
def store_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for the SQLite file of a deployment, in memory if the machine offers that.

    SQLite waits for the disk several times in most tests. None of them cuts the power, so the disk
    proves nothing.
    """
    if not (MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > LEAST_FREE_BYTES):
        yield tmp_path
        return
    with TemporaryDirectory(prefix="milepost-", dir=MEMORY) as around:
        # Some tests put things beside the folder.
        folder = Path(around) / "store"
        folder.mkdir()
        yield folder


@pytest.fixture(scope="session")
def prepared_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with empty tables, to be copied."""
    return prepare_file(tmp_path_factory.mktemp("prepared") / "prepared.db")


def deployment(
    kind: str, request: pytest.FixtureRequest, workflows: Workflows, clock: Clock
) -> Iterator[Deployment]:
    """Yield a deployment on an empty store of that kind, and close it."""
    made = Deployment(prepared_env(kind, request), workflows, clock, has_tables=True)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def stores(
    request: pytest.FixtureRequest, workflows: Workflows, clock: Clock
) -> Iterator[Deployment]:
    """A deployment on each store in turn."""
    yield from deployment(request.param, request, workflows, clock)


@pytest.fixture(params=["sqlite", "postgres"])
def databases(
    request: pytest.FixtureRequest, workflows: Workflows, clock: Clock
) -> Iterator[Deployment]:
    """A deployment on each store that outlives its process."""
    yield from deployment(request.param, request, workflows, clock)


@pytest.fixture
def memory(
    request: pytest.FixtureRequest, workflows: Workflows, clock: Clock
) -> Iterator[Deployment]:
    """A deployment in memory."""
    yield from deployment("memory", request, workflows, clock)


@pytest.fixture
def sqlite(
    request: pytest.FixtureRequest, workflows: Workflows, clock: Clock
) -> Iterator[Deployment]:
    """A deployment on a SQLite file."""
    yield from deployment("sqlite", request, workflows, clock)


@pytest.fixture
def postgres(
    request: pytest.FixtureRequest, workflows: Workflows, clock: Clock
) -> Iterator[Deployment]:
    """A deployment on a PostgreSQL database."""
    yield from deployment("postgres", request, workflows, clock)


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Make]:
    """Make servers that are ended when the test ends."""
    made: list[Server] = []

    def make(*arguments: Any, **options: Any) -> Server:
        home = tmp_path / f"server-{len(made)}"
        home.mkdir()
        server = Server(home, *arguments, **options)
        made.append(server)
        return server

    yield make
    for server in made:
        server.kill()
