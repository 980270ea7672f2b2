"""Which machines a job works or runs on, and which ones it names for removal."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from domain.job.runs.doubtful import doubtful
from domain.job.runs.state import Runs


def machines_in_use(runs: Runs) -> AbstractSet[str]:
    """Return the ids of the machines on which an attempt works, or runs."""
    found: set[str] = set()
    for attempt in runs.attempts:
        if attempt.replaced or (attempt.final and attempt.status != "running"):
            continue
        if attempt.machine_id:
            found.add(attempt.machine_id)
        if attempt.machines:
            found |= {o.server_id for o in attempt.machines if attempt.wants(o.server_id)}
    return found


def machines_to_remove(runs: Runs) -> AbstractSet[str]:
    """Return the ids of the machines that a rollback of the job names, or that are in doubt."""
    left = {machine for attempt in runs.attempts for machine, _ in attempt.machines_left if machine}
    return left | {machine for _, machine in doubtful(runs)}
