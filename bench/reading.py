"""Reads of an agent's instance against a no-op GET."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

from bench.contenders import ONE_WORKER, Mismatch, best, noop, plain
from bench.effort import Effort
from bench.figures import Line, alternate
from bench.history import register, services_over
from bench.load import Request, reads
from bench.stage import Server, Stage


def run(stage: Stage, effort: Effort) -> Iterator[Line]:
    """Measure answers with a body (200) and without (304); PostgreSQL, one worker."""
    database = stage.postgres()
    register(database, effort.jobs, stage.folder / "home")
    with services_over(database, stage.folder / "home") as services:
        services.projector().catch_up()
    with ExitStack() as stack:
        server = stack.enter_context(stage.milepost(database))
        asked = reads(effort.jobs)
        theirs = best(
            stack, [partial(noop, stage, asked, effort.seconds, setup) for setup in ONE_WORKER]
        )
        for status, wanted, requests in (
            (200, 0.4, reads(effort.jobs)),
            (304, 0.6, conditional(server, effort.jobs)),
        ):
            ours = plain(stage, server, requests, effort.seconds)
            pair = alternate(ours, theirs, effort.pairs)
            yield Line(
                f"GET instance, {status} / no-op GET",
                pair.ratio,
                wanted,
                detail=f"{pair.ours:,.0f}/s, {pair.theirs:,.0f}/s",
            )


def conditional(server: Server, jobs: int) -> list[Request]:
    """Return conditional reads of each job's agent, by a client that has the present answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    conditional = []
    for each in reads(jobs):
        connection.request("GET", each.path, headers=each.headers)
        answer = connection.getresponse()
        answer.read()
        headers = {**each.headers, "If-None-Match": answer.headers["ETag"]}
        connection.request("GET", each.path, headers=headers)
        again = connection.getresponse()
        if again.status != 304 or again.read():
            raise Mismatch(f"{each.path} is answered {again.status} to a conditional read")
        conditional.append(each._replace(headers=headers))
    return conditional
