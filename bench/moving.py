"""Taking a log along: how fast it goes out of and into each database, and in how much memory."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from bench.contenders import Mismatch
from bench.effort import Effort
from bench.figures import Line
from bench.history import events_in, lengthen, life, register, settle
from bench.stage import Stage

EVENTS_PER_JOB = 50
LOOK_SECONDS = 0.05


class Cost(NamedTuple):
    """What a command took."""

    seconds: float
    megabytes: float


def run(stage: Stage, effort: Effort) -> Iterator[Line]:
    """PostgreSQL to SQLite and back; what comes out at the end is what went in."""
    database, jobs = stage.postgres(), effort.log // EVENTS_PER_JOB
    register(database, jobs, stage.folder / "home")
    lengthen(database, "job", jobs, life(EVENTS_PER_JOB - 1))
    settle(database, stage.folder / "home")
    events, files = events_in(database), list[Path]()
    for into, empty in (("SQLite", stage.sqlite()), ("PostgreSQL", stage.postgres())):
        out_of = "PostgreSQL" if into == "SQLite" else "SQLite"
        files.append(stage.folder / f"out-of-{out_of}.jsonl")
        exported = _milepost(stage, database, "export", str(files[-1]))
        imported = _milepost(stage, empty, "import", str(files[-1]))
        if events_in(empty) != events:
            raise Mismatch(f"{events_in(empty)} of {events} events were imported")
        for what, cost in ((f"export from {out_of}", exported), (f"import into {into}", imported)):
            rate = events / cost.seconds
            detail = f"{rate:,.0f} events/s, {cost.seconds:.1f} s"
            yield Line(
                f"memory of an {what}, {events:,} events of {jobs:,} jobs",
                cost.megabytes,
                150,
                "MB",
                at_most=True,
                detail=detail,
            )
        database = empty
    if files[0].read_bytes() != files[1].read_bytes():
        raise Mismatch("what came out of SQLite is not what came out of PostgreSQL")


def _milepost(stage: Stage, database: str, *arguments: str) -> Cost:
    """Run a command; return its time and the most memory that it had."""
    command = [str(Path(sys.executable).with_name("milepost")), *arguments]
    settings = {"MILEPOST_HOME": str(stage.folder / "home"), "MILEPOST_DATABASE_URL": database}
    began, peak = monotonic(), 0.0
    process = subprocess.Popen(
        command,
        env={**os.environ, **settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while True:
        # Not the resource usage that the system tells at the end: it begins with our own size.
        peak = max(peak, _peak(process.pid))
        with suppress(subprocess.TimeoutExpired):
            process.wait(LOOK_SECONDS)
            break
    if process.returncode:
        raise Mismatch(f"milepost {arguments[0]} ended with {process.returncode}")
    return Cost(monotonic() - began, peak)


def _peak(pid: int) -> float:
    """Return the most memory that a process has had since it became the program that it is."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"^VmHWM:\s*(\d+) kB", status, re.MULTILINE)
    return int(found[1]) / 1000 if found else 0.0
