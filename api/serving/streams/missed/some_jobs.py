"""Some jobs: the events that a reader missed of the jobs and agents that it named.

Only their histories are read, and not the whole log: other jobs may have had a million events.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from heapq import nsmallest

from api.serving.streams.missed.resuming import Resuming
from api.wiring import Services
from projections.reading.entries import Entry, Wanted
from projections.reading.history import Page
from projections.views.instance import Instance


class SomeJobs:
    """Reads the events of some jobs in the log's order. It may raise `StoreUnavailable`."""

    def __init__(self, services: Services, resuming: Resuming) -> None:
        self._read_model = services.read_model
        self._reader, self._history = services.reader, services.history
        self._resuming = resuming

    def page(
        self, job_ids: Collection[str], agent_ids: Collection[str], after: int, limit: int
    ) -> Page:
        """Return at most `limit` events after a position, of these jobs and of these agents' jobs.

        `following` of the page is the position up to which no such event is missing.
        """
        newest = upto = self._read_model.log.newest_position()
        entries: list[Entry] = []
        jobs = self._jobs(job_ids, agent_ids, newest)
        for job in _oldest((job for job in jobs if job.position > after), after, limit + 1):
            if job.first_position > upto:
                break
            version = self._resuming.version_at(job, after)
            missed = self._history.of_job(job.job_id, version, limit, Wanted())
            entries = sorted([*entries, *missed.entries], key=_position)
            if missed.more:
                upto = min(upto, _position(missed.entries[-1]))
            if len(entries) > limit:
                upto = min(upto, _position(entries[limit - 1]))
            entries = [entry for entry in entries if _position(entry) <= upto]
        # Before its registration, a job has no agent.
        wanted = [
            entry
            for entry in entries
            if entry.after.job_id in job_ids or entry.after.agent_id in agent_ids
        ]
        return Page(wanted, upto, more=upto < newest)

    def _jobs(
        self, job_ids: Collection[str], agent_ids: Collection[str], newest: int
    ) -> Iterator[Instance]:
        projected = self._read_model.position()
        others: dict[str, None] = dict.fromkeys(job_ids)
        for agent_id in agent_ids:
            for job in self._reader.instances_of_agent(agent_id):
                if job.job_id in others:
                    continue
                if projected >= newest:
                    yield job
                else:
                    others[job.job_id] = None
            # The rows may lack a job that was registered a moment ago.
            for _, job_id in self._resuming.registrations(agent_id, projected, newest):
                others[job_id] = None
        for job_id in others:
            if instance := self._reader.instance(job_id):
                yield instance


def _oldest(jobs: Iterator[Instance], after: int, most: int) -> Sequence[Instance]:
    """Return the jobs that may have the next events: at most `most` of the jobs that began later.

    Each job that began after the position has its first event there. So the `most` jobs that began
    first have `most` events before any event of the other jobs that began later.
    """
    earlier = list[Instance]()

    def later() -> Iterator[Instance]:
        for job in jobs:
            if job.first_position > after:
                yield job
            else:
                earlier.append(job)

    began = nsmallest(most, later(), key=lambda job: job.first_position)
    return [*earlier, *began]


def _position(entry: Entry) -> int:
    return entry.stored.position
