"""Rollbacks: no machine that somebody wants is removed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from domain.job.events import JobEvent, RollbackRequested, RollbackWithdrawn
from tests.drill.oracle.heard import Heard, Moment


def rolled_back(moment: Moment, fact: RollbackRequested, heard: Heard) -> Iterator[tuple[str, str]]:
    """No rollback names a machine that is running, or in progress in another run.

    A run whose attempt has been given up is in progress for nobody.
    """
    failed = {each.number for each in moment.after.runs.attempts if each.status == "failed"}
    for run in heard.life.runs:
        if not heard.names(run, fact.server_id):
            continue
        end = heard.end_of(run)
        if end == "running":
            yield "a wanted machine is rolled back", f"{fact.server_id} runs (run {run.place})"
        elif end is None and run == heard.newest and not heard.attempts_of(run) & failed:
            yield "a wanted machine is rolled back", f"run {run.place} works on {fact.server_id}"


def wanted_at_the_end(heard: Heard, history: Sequence[JobEvent]) -> Iterator[tuple[str, str]]:
    """No rollback of a machine that said that it runs is left standing."""
    asked: dict[int, str | None] = {}
    for event in history:
        if isinstance(event.fact, RollbackRequested):
            asked[event.fact.attempt] = event.fact.server_id
        if isinstance(event.fact, RollbackWithdrawn):
            asked.pop(event.fact.attempt, None)
    for server_id in asked.values():
        for run in heard.life.runs:
            if heard.names(run, server_id) and heard.end_of(run) == "running":
                yield "a rollback is not withdrawn", f"{server_id} runs (run {run.place})"
