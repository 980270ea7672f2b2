"""Resuming: which event comes next for a reader that has seen all events up to a position."""

from __future__ import annotations

from typing import Final, NamedTuple

from eventsourcing.persistence import MapperDeserialisationError

from api.wiring import Services
from domain.job.events import JobQueued
from domain.log.bounded import is_full
from domain.log.mapper import decoded
from domain.log.reading.contract import NEWEST, PAGE, pages_of
from projections.views.instance import Instance

REGISTERED: Final = JobQueued.__name__


class Tenure(NamedTuple):
    """The job that is an agent's newest one at the positions after `after`, up to `last`."""

    job: Instance
    after: int
    last: int


class Resuming:
    """Finds the next event; raises the library's `PersistenceError` or `StoreUnavailable`."""

    def __init__(self, services: Services) -> None:
        self._read_model = services.read_model
        self._reader = services.reader
        self._mapper = services.milepost.mapper

    def version_at(self, job: Instance, after: int) -> int:
        """Return the version of the job's last event up to a position; 0 if all come after it.

        The job's newest event comes after the position. Most readers that connect again have missed
        little, so the search begins at the end.
        """
        if job.first_position > after:
            return 0
        low, high, step = 1, job.version, 1
        while high - step > low:
            if self._position(job, high - step) <= after:
                low = high - step
                break
            high, step = high - step, 2 * step
        while high - low > 1:
            middle = (low + high) // 2
            if self._position(job, middle) <= after:
                low = middle
            else:
                high = middle
        return low

    def tenure_at(self, agent_id: str, newest: Instance, after: int) -> Tenure:
        """Return the job that was the agent's newest one right after a position.

        `newest` is the present one, whose newest event comes after the position. If the agent had
        no job yet, return its first one.
        """
        registered, following = self._registered(newest.job_id), after + 1
        if registered <= following:
            return Tenure(newest, after, NEWEST)
        # The rows know all jobs up to the read model's position. Later ones are read from the log.
        known = min(after, self._read_model.position())
        logged = self.registrations(agent_id, known, registered)
        later = [each for each in logged if each[0] > following] or [(registered, newest.job_id)]
        earlier = [job_id for position, job_id in logged if position <= following]
        before = earlier[-1] if earlier else self._listed(agent_id, {job for _, job in logged})
        if before is not None:
            return self._tenure(before, after, later[0][0] - 1)
        (first, job_id), *others = later
        return self._tenure(job_id, first - 1, others[0][0] - 1 if others else NEWEST)

    def _tenure(self, job_id: str, after: int, last: int) -> Tenure:
        # Its registration was in the log.
        return Tenure(self._reader.recorded(job_id, 1), after, last)

    def _position(self, job: Instance, version: int) -> int:
        event = self._read_model.log.event(job.job_id, version)
        return event.position if event else 0

    def _registered(self, job_id: str) -> int:
        """Return the position of a job's registration. It is the first event of most jobs."""
        log = self._read_model.log
        for event in log.history(job_id, limit=1):
            if event.topic == REGISTERED:
                return event.position
        for page in pages_of(log.history, job_id):
            for event in page:
                if event.topic == REGISTERED:
                    return event.position
        return 0

    def registrations(self, agent_id: str, after: int, until: int) -> list[tuple[int, str]]:
        """Return the position and the job of each registration for the agent, in order."""
        registrations: list[tuple[int, str]] = []
        while events := self._read_model.log.events(after, PAGE, until, (REGISTERED,)):
            registrations += [
                (stored.position, str(stored.job_id))
                for stored, event in decoded(events, self._mapper)
                if not isinstance(event, MapperDeserialisationError)
                and isinstance(event.fact, JobQueued)
                and event.fact.agent_id == agent_id
            ]
            after = events[-1].position
            if not is_full(events, PAGE):
                break
        return registrations

    def _listed(self, agent_id: str, others: set[str]) -> str | None:
        """Return the newest job of the agent among the rows, except for these jobs."""
        jobs = [
            (job.queued_at, job.first_position, job.job_id)
            for job in self._reader.instances_of_agent(agent_id)
            if job.queued_at and job.job_id not in others
        ]
        return max(jobs)[-1] if jobs else None
