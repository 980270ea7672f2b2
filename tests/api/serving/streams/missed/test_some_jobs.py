"""A page of some jobs reads few histories, however many jobs an agent has had."""

from __future__ import annotations

from typing import Any

import msgspec

from api.serving.streams.missed.resuming import Resuming
from api.serving.streams.missed.some_jobs import SomeJobs
from projections.reading.history import History, Page
from tests.support.web.site import Site


class Noting:
    """A history that notes of which jobs somebody reads it."""

    def __init__(self, history: History) -> None:
        self._history = history
        self.read: list[str] = []

    def of_job(self, job_id: str, *others: Any) -> Page:
        """See `History.of_job`."""
        self.read.append(job_id)
        return self._history.of_job(job_id, *others)


def test_only_the_jobs_that_have_the_next_events_are_read(memory_site: Site) -> None:
    site = memory_site
    for number in range(12):
        site.register(f"job-{number}")
        site.report(f"job-{number}", status="failed", error="no quota")
    site.project()
    history: Any = Noting(site.services.history)
    services = msgspec.structs.replace(site.services, history=history)
    some_jobs = SomeJobs(services, Resuming(services))

    told, after = list[int](), 1
    while after < site.position:
        history.read.clear()
        page = some_jobs.page((), {"agent-1"}, after, 4)
        told += [entry.stored.position for entry in page.entries]
        after = page.following
        assert len(history.read) <= 5

    assert told == list(range(2, site.position + 1))
