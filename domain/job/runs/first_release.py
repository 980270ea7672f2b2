"""How events of the first release fold: they do not say which attempt they belong to.

In that release a new attempt followed only a failure and ended the story of all earlier attempts. A
log from then must fold to the statuses that it had, so its rules stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from domain.job.attempt.state import Attempt, ReportedValue
from domain.job.events import AttemptStarted, Received

if TYPE_CHECKING:
    from domain.job.runs.state import Runs

MAX_EARLIER_RUNS = 10
"""An attempt remembers the ids of at most this many earlier runs of its job."""


def number_of(attempts: Sequence[Attempt], fact: Received) -> int:
    """Return the number of the attempt that a callback belongs to."""
    place = len(attempts) - 1
    while place > 0 and _precedes(fact, attempts[place]):
        place -= 1
    return attempts[place].number


def opened(runs: Runs, started: AttemptStarted) -> Runs:
    """Return the runs with the attempt that this event starts, which replaces all earlier ones."""
    previous = runs.attempts[-1]
    earlier = previous.earlier_run_ids
    if previous.run_id:
        earlier = (*earlier, previous.run_id.value)[-MAX_EARLIER_RUNS:]
    run_id = started.workflow_run_id
    fresh = Attempt(
        number=started.number,
        since=started.recorded_at,
        opened_at=started.occurred_at,
        begun=True,
        earlier_run_ids=earlier,
        run_id=ReportedValue(run_id, started.occurred_at) if run_id else None,
    )
    replaced = [msgspec.structs.replace(each, replaced=True) for each in runs.attempts]
    return type(runs)((*replaced, fresh), started.number, runs.retries + 1, runs.forgotten)


def _precedes(fact: Received, attempt: Attempt) -> bool:
    """Tell whether this callback was sent by an earlier attempt than this one."""
    run_id = fact.workflow_run_id
    if run_id in attempt.earlier_run_ids and attempt.run_id and run_id != attempt.run_id.value:
        return True
    return bool(fact.occurred_at and attempt.opened_at and fact.occurred_at < attempt.opened_at)
