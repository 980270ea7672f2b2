"""Statuses and outcomes that a list of jobs can be asked for; the API takes no outcomes."""

from __future__ import annotations

from typing import Final, get_args

from domain.job.attempt.final import Outcome
from projections.views.instance import INSTANCE_STATUSES

ONLY_OUTCOMES: Final[tuple[Outcome, ...]] = tuple(
    outcome for outcome in get_args(Outcome) if outcome not in INSTANCE_STATUSES
)
"""Outcomes that are no status: such jobs have failed."""


def status_and_outcome(asked: str | None) -> tuple[str | None, str | None]:
    """Return the status, and the outcome if there is one, of jobs asked for by either."""
    return ("failed", asked) if asked in ONLY_OUTCOMES else (asked, None)


def about_outcome(status: str) -> str | None:
    """Say what to ask for if this is an outcome and no status; None for anything else."""
    if status not in ONLY_OUTCOMES:
        return None
    return f"{status} is an outcome: such a job has the status failed and outcome={status}."
