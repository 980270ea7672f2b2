"""Deadlines: give up jobs that missed theirs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from domain.application import Milepost
from domain.errors import Unavailable
from domain.job.deadlines import LATE_SECONDS, Question
from projections.chore import AT_ONCE, IDLE_SECONDS
from projections.read_model.contract import DueRow, ReadModel

log = logging.getLogger("milepost.deadlines")

PATIENCE = timedelta(seconds=LATE_SECONDS)
"""A job sends a heartbeat every 60 s: this is time for two of them."""
SLICE = 50
"""How many due jobs one step judges: each one may cost a commit, and events wait meanwhile."""


class DeadlineWatch:
    """A chore: find jobs that are due in the read model, and let each job decide on its own events.

    A row that lags behind may name a job that is alive, or name a due job late. It cannot fail a
    job that is alive. A round goes through all rows that are due, slice by slice, and the next
    round begins with the first again: no job that cannot be judged keeps another one waiting.
    """

    def __init__(
        self, milepost: Milepost, read_model: ReadModel, clock: Callable[[], datetime]
    ) -> None:
        self._milepost = milepost
        self._read_model = read_model
        self._clock = clock
        self._patient_until: datetime | None = None
        self._last: DueRow | None = None
        self._logged: set[type[Exception]] = set()

    def begin(self) -> None:
        """Time nothing out for `PATIENCE`: while Milepost was away, it could hear no job."""
        self._patient_until = self._clock() + PATIENCE
        self._last = None
        self._logged.clear()

    def step(self) -> float:
        """Judge at most `SLICE` jobs that are due; return seconds until the next step is due."""
        now = self._clock()
        if self._patient_until and now < self._patient_until:
            return IDLE_SECONDS
        due = self._read_model.due(now, self._last, SLICE)
        for row in due:
            self._judge(row.job_id, Question(asked_at=now))
        self._last = due[-1] if len(due) == SLICE else None
        return AT_ONCE if self._last else IDLE_SECONDS

    def _judge(self, job_id: str, question: Question) -> None:
        try:
            self._milepost.time_out(job_id, question)
        except Unavailable:
            raise
        except Exception as error:
            # A job that cannot be judged must not keep the other jobs from their judgement. It is
            # asked again every second, so that each kind of error is logged once.
            if type(error) not in self._logged:
                self._logged.add(type(error))
                log.exception("job %r could not be timed out", job_id)
