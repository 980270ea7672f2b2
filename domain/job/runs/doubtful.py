"""Machines that may be left behind, though no rollback names them: only a person can tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from domain.job.attempt.state import Attempt, OtherMachine
from domain.job.runs.rollback import has_another, has_unnamed_rerun, is_held_back
from domain.job.runs.state import Runs


def doubtful(runs: Runs) -> Sequence[tuple[Attempt, str]]:
    """Return the machines that no attempt surely wants and no rollback names, with their attempts.

    A run may report several machines, as a matrix does, and end otherwise than one of them.
    """
    found: dict[str, Attempt] = {}
    for attempt in runs.attempts:
        if attempt.final is None or attempt.replaced:
            continue
        for machine in _unanswered(runs, attempt):
            # If several runs reported the machine, the newest of them answers for it.
            if not (has_another(runs, attempt, machine) or _is_left(runs, attempt, machine)):
                found[machine] = attempt
    return [(attempt, machine) for machine, attempt in found.items()]


def _unanswered(runs: Runs, attempt: Attempt) -> Iterator[str]:
    if attempt.machine_id and _own_may_be_left(runs, attempt):
        yield attempt.machine_id
    for other in attempt.machines and attempt.others:
        if _other_may_be_left(runs, attempt, other):
            yield other.server_id


def _own_may_be_left(runs: Runs, attempt: Attempt) -> bool:
    """Tell whether the attempt failed, and nobody asks for the removal of its machine.

    Its machine said that it runs, another attempt answered for it, or it may be the one that runs.
    """
    if attempt.status != "failed" or attempt.stopped_at or attempt.rollback_requested_at:
        return False
    if attempt.has_lost(attempt.machine_id):
        return False
    runs_after_all = attempt.server_id is not None and attempt.server_id.runs
    if attempt.passed_on or runs_after_all:
        return True
    return is_held_back(runs, attempt) or has_unnamed_rerun(runs, attempt)


def _other_may_be_left(runs: Runs, attempt: Attempt, other: OtherMachine) -> bool:
    if other.is_asked_back or other.gone:
        return False
    if other.runs or other.unclaimed:
        return attempt.status != "running" or other.unclaimed
    if other.settled:
        return False
    if attempt.status == "running":
        return other.failed
    return attempt.status == "stopped" or is_held_back(runs, attempt)


def _is_left(runs: Runs, attempt: Attempt, machine: str) -> bool:
    """Tell whether an attempt asks for the removal of the machine, or another one has had it."""
    return any(
        (each is not attempt and each.is_machine(machine) and each.stopped_at is not None)
        or any(machine == left for left, _ in each.machines_left)
        for each in runs.attempts
    )
