"""Growing the tree, and `milepost verify`: how fast, and in how much memory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import msgspec

from bench.effort import Effort
from bench.figures import Line
from bench.history import lengthen, life, register, services_over
from bench.stage import ADMIN_TOKEN, ROOT, SECRET, Stage
from projections.growing import Grower

EVENTS_PER_JOB = 50


def run(stage: Stage, effort: Effort) -> Iterator[Line]:
    """On both databases, with one log."""
    for name, database in (("SQLite", stage.sqlite()), ("PostgreSQL", stage.postgres())):
        home = stage.folder / f"verified-{name}"
        jobs = max(1, effort.log // EVENTS_PER_JOB)
        register(database, jobs, home)
        lengthen(database, "job", jobs, life(EVENTS_PER_JOB - 1))
        with services_over(database, home) as services:
            services.projector().catch_up()
            began = perf_counter()
            Grower(services.tree).catch_up()
            grown = services.tree.head().size / (perf_counter() - began)
        yield Line(f"growing the tree, {name}", grown, 20_000, "events/s")
        events, seconds, megabytes = _verified(database, home)
        if events != jobs * EVENTS_PER_JOB:
            raise AssertionError(f"{events} events were verified")
        told = f"{events:,} events of {jobs:,} jobs in {seconds:.1f} s"
        yield Line(f"milepost verify, {name}", events / seconds, 8_000, "events/s", detail=told)
        yield Line(f"its peak memory, {name}", megabytes, 300, "MB", at_most=True, detail=told)


def _verified(database: str, home: Path) -> tuple[int, float, float]:
    """Run the command as anybody would; return events, seconds and megabytes at the peak."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "MILEPOST_HOME": str(home),
        "MILEPOST_DATABASE_URL": database,
        "MILEPOST_CALLBACK_SECRET": SECRET,
        "MILEPOST_ADMIN_TOKEN": ADMIN_TOKEN,
    }
    command = [str(Path(sys.executable).with_name("milepost")), "verify", "--json"]
    began = perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = perf_counter() - began
    if process.returncode:
        raise AssertionError(f"verify found something: {said[:2_000]!r}")
    return msgspec.json.decode(said)["events"], seconds, used.ru_maxrss / 1e3
