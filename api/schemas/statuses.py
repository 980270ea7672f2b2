"""Statuses that a list of jobs can be asked for, and outcomes, which it cannot."""

from __future__ import annotations

from typing import Final, get_args

from domain.job.attempt.final import Outcome
from projections.views.instance import INSTANCE_STATUSES

ONLY_OUTCOMES: Final = frozenset(get_args(Outcome)) - frozenset(INSTANCE_STATUSES)


def about_outcome(status: str) -> str | None:
    """Say what to ask for if this is an outcome and no status; None for anything else."""
    if status not in ONLY_OUTCOMES:
        return None
    return f"{status} is an outcome: such a job has the status failed and outcome={status}."
