"""The watchdog: fails jobs that have been silent for too long."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from domain.application import Milepost
from domain.errors import Unavailable
from domain.job.provisioning_job import SILENCE_LIMIT_SECONDS
from projections.read_model.contract import ReadModel

log = logging.getLogger("milepost.watchdog")

PATIENCE = timedelta(seconds=150)
"""A heartbeat comes every 60 s: time for two of them."""


class Watchdog:
    """Looks for silent jobs in the read model; the job itself then decides on its own events.

    So a row that lags can name a job too many or late, but never fail one that is alive.
    """

    def __init__(
        self, milepost: Milepost, read_model: ReadModel, clock: Callable[[], datetime]
    ) -> None:
        self._milepost = milepost
        self._read_model = read_model
        self._clock = clock
        self._patient_until: datetime | None = None

    def be_patient(self) -> None:
        """Time nothing out for a while: while we were away, nobody could be heard."""
        self._patient_until = self._clock() + PATIENCE

    def check(self) -> int:
        """Time out every job that is due; return how many were looked at."""
        if self._patient_until and self._clock() < self._patient_until:
            return 0
        due = self._clock() - timedelta(seconds=SILENCE_LIMIT_SECONDS)
        silent = self._read_model.silent(due)
        for job_id in silent:
            try:
                self._milepost.time_out(job_id)
            except Unavailable:
                raise
            except Exception:
                # One job that cannot be judged must not keep the others from it.
                log.exception("job %r could not be timed out", job_id)
        return len(silent)
