"""kill -9 while a log is exported or imported: what is left never claims to be whole and is not."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from domain.log.stored import Stored
from domain.workflows.definition import Workflows
from tests.e2e.kinds import POSTGRES_IN_A_DRILL
from tests.support.processes.server import MILEPOST, PATIENCE_SECONDS
from tests.support.stores.deployment import Clock, Deployment, prepared_env, url_of

EVENTS, JOBS = 10_000, 400
KILLS = 4
STATE = b'{"recorded_at":"2026-03-02T12:00:00Z","callback_id":"%d","extra":{"pad":"0123456789"}}'

databases = pytest.mark.parametrize("kind", POSTGRES_IN_A_DRILL)


class Mover:
    """Somebody who moves logs, on an empty folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "moves"
        self.folder.mkdir()
        self.file = self.folder / "log.jsonl"
        self.manifest = self.folder / "log.jsonl.manifest.json"
        seed = random.randrange(2**32)
        sys.stdout.write(f"random seed {seed}\n")  # shown when the test fails
        self.chance = random.Random(seed)

    def start(
        self, made: Deployment, *arguments: str, stdin: int | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a command beside a database."""
        settings = {"MILEPOST_HOME": str(self.folder), "MILEPOST_DATABASE_URL": url_of(made)}
        return subprocess.Popen(
            [str(MILEPOST), *arguments],
            env={**os.environ, **settings},
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def run(self, made: Deployment, *arguments: str) -> None:
        """Run a command to its end, which is a good one."""
        _, said = self.start(made, *arguments).communicate(timeout=PATIENCE_SECONDS)
        assert b"Error" not in said, said

    def parts(self) -> int:
        """Return how large the file that is being written is."""
        return max((path.stat().st_size for path in self.folder.glob("*.part")), default=-1)


@pytest.fixture
def mover(tmp_path: Path) -> Mover:
    return Mover(tmp_path)


def database(
    kind: str, request: pytest.FixtureRequest, workflows: Workflows, name: str = "test.db"
) -> Deployment:
    """Return an empty database; only one is PostgreSQL's."""
    env = prepared_env(kind, request)
    if kind == "sqlite":
        env["SQLITE_DBNAME"] = str(Path(env["SQLITE_DBNAME"]).with_name(name))
    return Deployment(env, workflows, Clock())


def fill(made: Deployment) -> None:
    """Give a database a log of some length."""
    with made.milepost.store.filling() as filling:
        for start in range(0, EVENTS, 1000):
            filling.append([event(n) for n in range(start, start + 1000)], (), ())


def event(number: int) -> Stored:
    job_id, version = f"job-{number % JOBS}", number // JOBS + 1
    return Stored(number + 1, job_id, version, "HeartbeatReceived", STATE % number)


def until(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Wait until something is so, or the process has ended."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while process.poll() is None and not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)  # another process is waited for, up to the deadline


def end(process: subprocess.Popen[bytes], how: signal.Signals) -> int:
    """Send a signal and wait; return the exit status."""
    process.send_signal(how)
    status = process.wait(PATIENCE_SECONDS)
    for pipe in (process.stdin, process.stderr):
        if pipe:
            pipe.close()
    return status


@databases
def test_a_killed_export_leaves_no_file_that_claims_to_be_whole(
    kind: str, mover: Mover, request: pytest.FixtureRequest, workflows: Workflows
) -> None:
    made = database(kind, request, workflows)
    fill(made)
    mover.run(made, "export", str(mover.file))
    whole = mover.file.read_bytes()
    forget(mover)

    for _ in range(KILLS):
        upto = mover.chance.randrange(len(whole))
        named = mover.chance.random() < 0.25
        process = mover.start(made, "export", str(mover.file), "--force")
        until(
            lambda upto=upto, named=named: (  # type: ignore[misc]
                mover.file.exists() if named else mover.parts() >= upto
            ),
            process,
        )
        end(process, signal.SIGKILL)
        if mover.file.exists():
            assert mover.file.read_bytes() == whole
        if mover.manifest.exists():
            told = json.loads(mover.manifest.read_bytes())
            assert told["sha256"] == sha256(mover.file.read_bytes()).hexdigest()
            assert told["events"] == EVENTS
        forget(mover)

    mover.run(made, "export", str(mover.file))
    assert mover.file.read_bytes() == whole
    made.close()


def forget(mover: Mover) -> None:
    mover.file.unlink(missing_ok=True)
    mover.manifest.unlink(missing_ok=True)


@databases
def test_a_killed_import_leaves_an_empty_database_or_a_whole_one(
    kind: str, mover: Mover, request: pytest.FixtureRequest, workflows: Workflows
) -> None:
    """Fed over a pipe and killed at any byte of it, or while it commits; then done again."""
    old = database("sqlite", request, workflows, "old.db")
    new = database(kind, request, workflows)
    fill(old)
    mover.run(old, "export", str(mover.file))
    whole = mover.file.read_bytes()
    given = ("import", "-", "--manifest", str(mover.manifest))

    for kill in range(KILLS):
        # The last ones get everything.
        upto = mover.chance.randrange(len(whole)) if kill < KILLS - 2 else len(whole)
        process = mover.start(new, *given, stdin=subprocess.PIPE)
        feed(process, whole[:upto], close=upto == len(whole))
        end(process, signal.SIGKILL)
        assert count(new) in (0, EVENTS)
        assert not (count(new) and upto < len(whole))
        if count(new):
            break
    else:
        mover.run(new, "import", str(mover.file))

    assert new.projector.catch_up() == EVENTS
    assert sum(new.read_model.counts().values()) == JOBS
    mover.run(new, "export", str(mover.folder / "again"))
    assert (mover.folder / "again").read_bytes() == whole
    for made in (old, new):
        made.close()


def feed(process: subprocess.Popen[bytes], content: bytes, *, close: bool) -> None:
    """Write to a process; what it has not read by now is little."""
    pipe = process.stdin.fileno() if process.stdin else -1
    while content:
        content = content[os.write(pipe, content) :]
    if close and process.stdin:
        process.stdin.close()


def count(made: Deployment) -> int:
    return len(made.milepost.store.events(0, 10 * EVENTS))


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_ctrl_c_leaves_nothing(
    kind: str, mover: Mover, request: pytest.FixtureRequest, workflows: Workflows
) -> None:
    """Of an export no file, not even a part of one; of an import no event."""
    made = database(kind, request, workflows)
    old = database("sqlite", request, workflows, "old.db")
    fill(old)

    process = mover.start(old, "export", str(mover.file))
    until(lambda: mover.parts() > 0, process)
    assert end(process, signal.SIGINT) == 130
    assert not list(mover.folder.glob("*jsonl*")) + list(mover.folder.glob(".*"))

    mover.run(old, "export", str(mover.file))
    process = mover.start(made, "import", "-", "--no-manifest", stdin=subprocess.PIPE)
    feed(process, mover.file.read_bytes()[:1_000_000], close=False)
    assert end(process, signal.SIGINT) == 130
    assert count(made) == 0
    for each in (made, old):
        each.close()
