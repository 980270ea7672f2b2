"""When a machine that a failed attempt left has to be removed, and when it has not after all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from domain.job.attempt.state import Attempt
from domain.job.events import (
    Fact,
    HeartbeatReceived,
    Machine,
    RollbackRequested,
    RollbackWithdrawn,
    StatusReported,
)
from domain.job.runs.state import Runs


def may_matter(fact: Fact) -> bool:
    """Tell whether a fact may change which machines are wanted: an end, an order or a machine."""
    if isinstance(fact, HeartbeatReceived):
        return False
    if isinstance(fact, Machine) and not isinstance(fact, StatusReported):
        return fact.server_id is not None
    return True


def rollback_of(
    runs: Runs, attempt: Attempt, facts: Sequence[Fact], now: datetime
) -> RollbackRequested | RollbackWithdrawn | None:
    """Return what has to be decided about an attempt's machine after these facts, if anything.

    A rollback names a machine that the attempt itself reported and that nobody wants.
    """
    server_id = attempt.machine_id
    if server_id is None or attempt.stopped_at or attempt.has_lost(server_id):
        return None  # without a machine, or with one that is gone for good
    if not attempt.rollback_requested_at and (attempt.passed_on or attempt.status != "failed"):
        return None  # another attempt answers for the machine, or nobody has to
    is_wanted = attempt.status != "failed" or is_of_another(runs, attempt)
    if attempt.final and not attempt.final.ordered:
        # After an operator's order, a run that goes on changes nothing but its machine.
        is_wanted = is_wanted or _says_it_runs(facts, attempt)
    is_wanted = is_wanted or has_unnamed_rerun(runs, attempt)
    if attempt.rollback_requested_at:
        withdrawn = RollbackWithdrawn(recorded_at=now, attempt=attempt.number)
        return withdrawn if is_wanted else None
    if is_wanted or attempt.replaced or _may_be_of_another(runs, attempt):
        return None
    return RollbackRequested(
        recorded_at=now,
        attempt=attempt.number,
        server_id=server_id,
        server_ip=attempt.server_ip.value if attempt.server_ip else None,
    )


def rollbacks_of_others(
    runs: Runs, number: int, facts: Sequence[Fact], now: datetime
) -> Iterator[RollbackRequested | RollbackWithdrawn]:
    """Yield what has to be decided about the other machines of an attempt that reported several."""
    attempt = runs.find(number)
    others = attempt.others if attempt else ()
    if not (attempt and others):
        return
    named = _named_by_others(runs, attempt)
    for machine in others:
        server_id = machine.server_id
        is_wanted = attempt.status != "failed"
        # One look at the names spares most machines a look at each of 50 attempts.
        is_wanted = is_wanted or (server_id in named and has_another(runs, attempt, server_id))
        if attempt.final and not attempt.final.ordered:
            is_wanted = is_wanted or machine.runs or _names_as_running(facts, server_id)
        if machine.is_asked_back:
            if is_wanted:
                yield RollbackWithdrawn(recorded_at=now, attempt=number, server_id=server_id)
        elif not (machine.settled or machine.unclaimed or is_wanted or attempt.replaced):
            if not _may_be_of_another(runs, attempt):
                yield RollbackRequested(recorded_at=now, attempt=number, server_id=server_id)


def _named_by_others(runs: Runs, attempt: Attempt) -> set[str | None]:
    """Return the machines that any other attempt reported; none of them wants another machine."""
    named: set[str | None] = set()
    for each in runs.attempts:
        if each is not attempt:
            named.add(each.machine_id)
            named.update([machine.server_id for machine in each.machines])
    return named


def _names_as_running(facts: Sequence[Fact], server_id: str) -> bool:
    if not any(isinstance(fact, StatusReported) and fact.status == "running" for fact in facts):
        return False
    return any(isinstance(fact, Machine) and fact.server_id == server_id for fact in facts)


def _says_it_runs(facts: Sequence[Fact], attempt: Attempt) -> bool:
    """Tell whether these facts say that the attempt's machine runs, whatever became of it."""
    if not any(isinstance(fact, StatusReported) and fact.status == "running" for fact in facts):
        return False
    named = [fact.server_id for fact in facts if isinstance(fact, Machine) and fact.server_id]
    if named:
        return attempt.is_machine(named[-1])
    return any(
        isinstance(fact, StatusReported) and fact.attempt in (None, attempt.number)
        for fact in facts
    )


def is_of_another(runs: Runs, attempt: Attempt) -> bool:
    """Tell whether another attempt answers for the same machine."""
    return has_another(runs, attempt, attempt.machine_id)


def has_another(runs: Runs, attempt: Attempt, server_id: str | None) -> bool:
    """Tell whether another attempt answers for the machine.

    It is one that works on it or runs on it, else a newer one that asks for its removal by itself.
    """
    newer = runs.newer_than(attempt.number)
    return any(each is not attempt and each.wants(server_id) for each in runs.attempts) or any(
        _asks(each, server_id) for each in newer
    )


def _asks(attempt: Attempt, server_id: str | None) -> bool:
    """Tell whether an attempt that ended asks for the removal of the machine, or has had it."""
    if attempt.is_machine(server_id):
        # What was asked and withdrawn is not asked again.
        return attempt.stopped_at is not None or not attempt.passed_on
    other = attempt.other(server_id)
    if other is None:
        return False
    if other.gone:
        return True
    return attempt.status == "failed" and not (other.settled or other.unclaimed)


def _may_be_of_another(runs: Runs, attempt: Attempt) -> bool:
    """Tell whether the machine may be that of a superseded run, or the one that runs.

    A run claims its machine when a word that names the run names the machine.
    """
    if is_held_back(runs, attempt):
        return True
    if attempt.claims_machine:
        return False
    return any(runs.is_superseded(each) for each in runs.attempts)


def is_held_back(runs: Runs, attempt: Attempt) -> bool:
    """Tell whether a silent attempt's machine may be the one that runs.

    Silence is no proof against a machine while the one that runs was not named: a workflow may
    start another one, which makes the machine, and report the end itself.
    """
    if attempt.final is None or not attempt.final.inferred:
        return False
    return any(each.status == "running" and each.machine_id is None for each in runs.attempts)


def has_unnamed_rerun(runs: Runs, attempt: Attempt) -> bool:
    """Tell whether a re-run of the attempt's run is the one that runs, and named no machine.

    A re-run of the failed parts only goes on with the machine that the parts before had made.
    """
    if attempt.run_id is None or attempt.final is None or attempt.final.ordered:
        return False
    return any(
        each.status == "running"
        and each.machine_id is None
        and each.run_id is not None
        and each.run_id.value == attempt.run_id.value
        for each in runs.newer_than(attempt.number)
    )
