"""Export from and import into each database: rate and memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench.commands import milepost
from bench.contenders import Mismatch
from bench.effort import Effort
from bench.figures import Line
from bench.history import events_in, lengthen, life, register, settle
from bench.stage import Stage

EVENTS_PER_JOB = 50


def run(stage: Stage, effort: Effort) -> Iterator[Line]:
    """Move a log from PostgreSQL to SQLite and back; both exports must be equal."""
    database, jobs = stage.postgres(), effort.log // EVENTS_PER_JOB
    register(database, jobs, stage.folder / "home")
    lengthen(database, "job", jobs, life(EVENTS_PER_JOB - 1))
    settle(database, stage.folder / "home")
    events, files = events_in(database), list[Path]()
    for into, empty in (("SQLite", stage.sqlite()), ("PostgreSQL", stage.postgres())):
        out_of = "PostgreSQL" if into == "SQLite" else "SQLite"
        files.append(stage.folder / f"out-of-{out_of}.jsonl")
        exported = milepost(stage.folder / "home", database, "export", str(files[-1]))
        imported = milepost(stage.folder / "home", empty, "import", str(files[-1]))
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
        raise Mismatch("the export from SQLite differs from the export from PostgreSQL")
