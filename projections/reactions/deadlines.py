"""The watchdog: fail jobs that have been silent for too long."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from domain.application import Milepost
from domain.errors import Unavailable
from domain.job.provisioning_job import SILENCE_LIMIT_SECONDS
from projections.chore import AT_ONCE, IDLE_SECONDS
from projections.read_model.contract import ReadModel

log = logging.getLogger("milepost.watchdog")

PATIENCE = timedelta(seconds=150)
"""A job sends a heartbeat every 60 s: this is time for two of them."""
SLICE = 50
"""How many silent jobs one step judges: each one may cost a commit, and events wait meanwhile."""


class Watchdog:
    """A chore: find silent jobs in the read model, and let each job decide on its own events.

    A row that lags behind may name a job that is alive, or name a silent job late. It cannot fail
    a job that is alive.
    """

    def __init__(
        self, milepost: Milepost, read_model: ReadModel, clock: Callable[[], datetime]
    ) -> None:
        self._milepost = milepost
        self._read_model = read_model
        self._clock = clock
        self._patient_until: datetime | None = None
        self._silent: deque[str] = deque()
        self._logged: set[type[Exception]] = set()

    def begin(self) -> None:
        """Time nothing out for `PATIENCE`: while Milepost was away, it could hear no job."""
        self._patient_until = self._clock() + PATIENCE
        self._silent.clear()
        self._logged.clear()

    def step(self) -> float:
        """Time out at most `SLICE` jobs that are due; return seconds until the next step is due."""
        if self._patient_until and self._clock() < self._patient_until:
            return IDLE_SECONDS
        if not self._silent:
            limit = self._clock() - timedelta(seconds=SILENCE_LIMIT_SECONDS)
            self._silent.extend(self._read_model.silent(limit))
        for _ in range(min(SLICE, len(self._silent))):
            self._judge(self._silent.popleft())
        return AT_ONCE if self._silent else IDLE_SECONDS

    def _judge(self, job_id: str) -> None:
        try:
            self._milepost.time_out(job_id)
        except Unavailable:
            raise
        except Exception as error:
            # A job that cannot be judged must not keep the other jobs from their judgement. It is
            # asked again every second, so that each kind of error is logged once.
            if type(error) not in self._logged:
                self._logged.add(type(error))
                log.exception("job %r could not be timed out", job_id)
