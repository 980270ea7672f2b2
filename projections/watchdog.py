"""The watchdog: fails jobs that have been silent for too long."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from domain.application import Milepost
from domain.provisioning_job import SILENCE_LIMIT_SECONDS
from projections.read_model import ReadModel


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

    def check(self) -> int:
        """Time out every job that is due; return how many were looked at."""
        due = self._clock() - timedelta(seconds=SILENCE_LIMIT_SECONDS)
        silent = self._read_model.silent(due)
        for job_id in silent:
            self._milepost.time_out(job_id)
        return len(silent)
