"""The documents that streams carry: what a GET would have shown right after each event."""

from __future__ import annotations

from datetime import datetime

from api.http.answers import encoded
from api.representations.job import instance_body, job_body
from api.wiring import Services
from projections.views.instance import Instance


class Documents:
    """Makes documents, in a thread: for a whole error, it may read the log."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def job(self, instance: Instance, now: datetime | None = None) -> bytes:
        """Return what `GET /api/jobs/{job_id}` showed when the job's newest event was recorded.

        With `now`, return what it shows now: the health changes with time.
        """
        services, whole = self._services, self._services.history.with_whole_errors(instance)
        then = now or instance.updated_at
        return encoded(job_body(whole, services.workflows, then, services.reader.first_start))

    def instance(self, instance: Instance, now: datetime | None = None) -> bytes:
        """Return what `GET /api/agents/{agent_id}/instance` showed then, or shows now."""
        services, whole = self._services, self._services.history.with_whole_errors(instance)
        then = now or instance.updated_at or services.now()
        return encoded(instance_body(whole, services.workflows, then, services.reader.first_start))
