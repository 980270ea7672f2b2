"""The latency of callbacks and the lag of the read model, at half the maximum rate."""

from __future__ import annotations

import http.client
import json
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median, quantiles
from threading import Event
from time import perf_counter

import psycopg

from bench.contenders import check, recording
from bench.effort import Effort
from bench.figures import Line, alternate
from bench.history import events_in, register
from bench.load import load, pause_for, signed, steps
from bench.stage import Server, Stage

SELECT_POSITION = "SELECT position FROM milepost_read_model WHERE tables = 'served'"
LOOK_SECONDS = 0.0005


def run(stage: Stage, effort: Effort) -> Iterator[Line]:
    """Yield the figures of PostgreSQL and SQLite, one worker each."""
    requests = steps(effort.jobs)
    postgres, sqlite = stage.postgres(), stage.sqlite()
    for database in (postgres, sqlite):
        register(database, effort.jobs, stage.folder / "home")
    with stage.milepost(postgres) as server, stage.milepost(sqlite) as small:
        measures = {
            name: recording(stage, each, database, requests, effort.seconds)
            for name, each, database in (
                ("PostgreSQL", server, postgres),
                ("SQLite", small, sqlite),
            )
        }
        for measure in measures.values():
            measure()  # on a busy machine, the first second after a start may answer nothing
        pair = alternate(measures["SQLite"], measures["PostgreSQL"], effort.pairs)
        yield Line(
            "SQLite / PostgreSQL",
            pair.ratio,
            0.8,
            detail=f"{pair.ours:,.0f}/s, {pair.theirs:,.0f}/s",
        )
        for name, each, database, highest, most in (
            ("PostgreSQL", server, postgres, 25, pair.theirs),
            ("SQLite", small, sqlite, 40, pair.ours),
        ):
            rate = most / 2
            pause = pause_for(rate, each, requests, effort.seconds, stage.folder)
            results = []
            for _ in range(effort.pairs):
                before = events_in(database)
                results.append(
                    load(each, requests, effort.seconds, folder=stage.folder, pause=pause)
                )
                check(results[-1], events_in(database) - before)
            yield Line(
                f"p99 of a callback at half the maximum rate, {name}",
                median(result.p99 for result in results),
                highest,
                "ms",
                at_most=True,
                detail=f"{median(result.rate for result in results):,.0f} of {most:,.0f}/s, "
                f"p50 {median(result.p50 for result in results):.1f} ms",
            )
            lags = _lags(stage, each, database, effort, pause)
            for share, wanted in ((50, 10), (99, 50)):
                yield Line(
                    f"lag of the read model at half the maximum rate, p{share}, {name}",
                    quantiles(lags, n=100)[share - 1],
                    wanted,
                    "ms",
                    at_most=True,
                    detail=f"{len(lags)} receipts",
                )


def _lags(stage: Stage, server: Server, database: str, effort: Effort, pause: float) -> list[float]:
    """Return for each receipt the milliseconds until the read model had reached its position."""
    seconds = effort.seconds * effort.pairs
    probe = signed({"job_id": "job-0", "type": "heartbeat"})
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    lags: list[float] = []
    before = events_in(database)
    with ThreadPoolExecutor(1) as pool, _positions(database) as position:
        background = pool.submit(
            load, server, steps(effort.jobs), seconds, folder=stage.folder, pause=pause
        )
        until = perf_counter() + seconds - 0.5
        while perf_counter() < until or len(lags) < 2:  # quantiles need two values
            connection.request(probe.method, probe.path, probe.body, probe.headers)
            receipt = json.load(connection.getresponse())
            answered = perf_counter()
            while position() < receipt["position"]:
                Event().wait(LOOK_SECONDS)
            lags.append((perf_counter() - answered) * 1000)
        check(background.result(), events_in(database) - before - len(lags))
    return lags


class _positions:  # noqa: N801  used as a function
    """Return a function that reads the position of a database's read model."""

    def __init__(self, database: str) -> None:
        self._connection: psycopg.Connection[tuple[int]] | sqlite3.Connection
        if database.startswith("sqlite:///"):
            self._connection = sqlite3.connect(database.removeprefix("sqlite:///"))
        else:
            self._connection = psycopg.connect(database, autocommit=True)

    def __enter__(self) -> Callable[[], int]:
        return lambda: int(self._connection.execute(SELECT_POSITION).fetchone()[0])  # type: ignore[index]

    def __exit__(self, *_: object) -> None:
        self._connection.close()
