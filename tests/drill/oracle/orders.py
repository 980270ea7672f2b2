"""The oracle of operators' orders: what an order has done stands, whatever is heard afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from domain.job.attempt.state import Attempt
from domain.job.events import (
    AttemptCancelled,
    AttemptFailed,
    AttemptStarted,
    MachineStopped,
    RollbackRequested,
    TimeoutWithdrawn,
)
from domain.job.runs.state import Runs
from domain.workflows.definition import MAX_RETRIES
from tests.drill.oracle.heard import Heard, Moment

Claim = tuple[str, str]


def order_claims(heard: Heard, moments: Sequence[Moment]) -> Iterator[Claim]:
    """Check that orders stand."""
    ended, gone, retries = set[int](), set[tuple[int, str | None]](), 0
    for moment in moments:
        fact, runs = moment.event.fact, moment.after.runs
        if isinstance(fact, AttemptFailed | AttemptCancelled):
            ended.add(fact.attempt)
        if isinstance(fact, MachineStopped):
            gone.add((fact.attempt, fact.server_id))
        over = ended | {number for number, machine in gone if _is_own(runs, number, machine)}
        if isinstance(fact, TimeoutWithdrawn) and fact.attempt in over:
            yield "an order is taken back", str(fact)
        if isinstance(fact, AttemptStarted) and fact.because == "retry":
            retries += 1
            if moment.before.runs.working:
                yield "a retry opens an attempt beside one in progress", str(fact)
        # No life has as many runs as a job remembers, so all of them are found.
        for attempt in filter(None, map(runs.find, ended)):
            if not (attempt.final and attempt.final.ordered):
                yield "an order is overwritten", f"{attempt.status} at {fact}"
        for number, machine in gone:
            having = runs.find(number)
            if having and having.stopped_at is None and not having.has_lost(machine):
                yield "a machine that is gone comes back", str(fact)
            elif isinstance(fact, RollbackRequested) and fact.server_id == machine:
                if fact.attempt == number:
                    yield "a machine that is gone is asked back", str(fact)
    if retries > MAX_RETRIES:
        yield "more retries than the workflow allows", str(retries)
    if moments:
        yield from _left_behind(heard, moments[-1], ended)


def _is_own(runs: Runs, number: int, machine: str | None) -> bool:
    attempt = runs.find(number)
    return attempt is not None and (machine is None or attempt.is_machine(machine))


def _left_behind(heard: Heard, last: Moment, ended: set[int]) -> Iterator[Claim]:
    """Every machine that an ended attempt reported is in a rollback, gone, or wanted by another."""
    every = last.after.runs.attempts
    for attempt in every:
        if attempt.number not in ended or attempt.machine_id is None or _is_gone(every, attempt):
            continue
        if _is_asked_back(every, attempt) or _is_wanted(every, attempt):
            continue
        yield "a machine of a cancelled run is left behind", str(attempt.machine_id)


def _is_asked_back(every: Sequence[Attempt], attempt: Attempt) -> bool:
    """Tell whether a rollback names the machine, also as that of another attempt."""
    if attempt.rollback_requested_at:
        return True
    return any(attempt.is_machine(left) for each in every for left, _ in each.machines_left)


def _is_wanted(every: Sequence[Attempt], attempt: Attempt) -> bool:
    others = [each for each in every if each is not attempt]
    # A machine that no run claims may be that of a superseded run.
    if attempt.passed_on or any(each.final is None for each in others):
        return True
    # A word without a run, by a slow clock, may have named it in the attempt that was open then.
    return any(each.status == "running" and each.has_machine(attempt.machine_id) for each in others)


def _is_gone(every: Sequence[Attempt], attempt: Attempt) -> bool:
    """Tell whether the machine was confirmed as gone, also as that of another attempt."""
    machine = attempt.machine_id
    return any(
        (each.stopped_at and each.is_machine(machine)) or each.has_lost(machine) for each in every
    )
