"""Reading present states: one job's is never stale, lists are as of the read model's position."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from time import monotonic
from typing import NamedTuple, TypeVar

import msgspec

from domain.errors import MilepostError, StoreUnavailable
from domain.log.mapper import JobEventMapper
from domain.log.reading.contract import pages_of
from domain.log.store import translated
from projections.folding.fold import fold_sighting
from projections.read_model.bounded import is_full
from projections.read_model.contract import FIRST_START, ReadModel
from projections.read_model.filters import AttentionFilter, JobFilter
from projections.read_model.rows import Row, SetAside
from projections.read_model.sightings import Sighting
from projections.reading.catching_up import CatchingUp
from projections.reading.uses import Uses
from projections.views.instance import Instance
from projections.views.reasons import RANKS, Group
from projections.views.timeline import Timeline
from projections.views.view import State, View, Views

Filter = TypeVar("Filter", JobFilter, AttentionFilter)

LOOK_SECONDS = 30.0
REMEMBERED = 512
"""The number of states that the reader keeps, of the rows that it read last."""
PAGE_JOBS = 100
"""How many jobs of an agent are read at a time."""


class Status(msgspec.Struct, frozen=True):
    """The log's and the read model's positions, and the newest events that were set aside.

    `shape` is the shape of the served rows. `rebuilt_position` is the position of a rebuild that is
    under way or was interrupted; None without one.
    """

    log_position: int
    read_model_position: int
    set_aside: Sequence[SetAside]
    shape: str
    rebuilt_position: int | None

    @property
    def lag_events(self) -> int:
        """How many positions the read model is behind."""
        return max(0, self.log_position - self.read_model_position)


class Page(NamedTuple):
    """Instances in order; more may follow if the page ended at its bound in jobs or in bytes."""

    instances: Sequence[Instance]
    more: bool


class NotRebuiltYet(MilepostError):
    """The read model is of an older release, and is being rebuilt."""


class Reader:
    """Answers from rows plus unfolded events. Every method may raise `StoreUnavailable`."""

    def __init__(self, read_model: ReadModel, mapper: JobEventMapper) -> None:
        self._read_model = read_model
        self._mapper = mapper
        self._views = Views(mapper.cipher, REMEMBERED)
        self.first_start: datetime | None = None
        """When this store was first opened by a release with start deadlines, once it is known."""
        self._looked_around_at: float | None = None
        self.catching_up = CatchingUp(read_model)
        self._uses = Uses(read_model, mapper, self.instance)

    def instance(self, job_id: str) -> Instance | None:
        """Return a job's instance; None if the job has no event."""
        with translated():
            self._look_around()
            sighting = self._read_model.sight("instances", job_id)
            instance = self._fold(self._views.instance, sighting)
        return instance if instance.version else None

    def present(self, job_id: str) -> Instance | None:
        """Return what `instance` returns, and which of its machines other jobs use."""
        instance = self.instance(job_id)
        return self._with_uses([instance])[0] if instance else None

    def _with_uses(self, instances: Sequence[Instance]) -> Sequence[Instance]:
        with translated():
            return self._uses.added_to(instances)

    def recorded(self, job_id: str, version: int) -> Instance:
        """Return a job's present instance that has the event which a receipt names, or a newer one.

        Raises `StoreUnavailable` if the log lacks that event: a failover to a standby that was
        behind came between the commit and this read, and what was asked for must be repeated.
        """
        instance = self.present(job_id)
        if instance is None or instance.version < version:
            raise StoreUnavailable(f"the log lost version {version} of job {job_id!r} meanwhile")
        return instance

    def instance_of(self, agent_id: str) -> Instance | None:
        """Return the instance of the agent's newest job; None if the agent has no job."""
        [found] = self.instances_of([agent_id])
        if isinstance(found, Exception):
            raise found
        return found

    def instances_of(self, agent_ids: Sequence[str]) -> Sequence[Instance | Exception | None]:
        """Return for each agent what `instance_of` returns, or the error that it raises.

        One statement reads all of them, and reads an agent once however often it is named.
        """
        distinct = list(dict.fromkeys(agent_ids))
        with translated():
            self._look_around()
            sightings = self._read_model.sight_agents(distinct)
        instances = dict(zip(distinct, map(self._instance, sightings), strict=True))
        return [instances[agent_id] for agent_id in agent_ids]

    def _instance(self, sighting: Sighting | None) -> Instance | Exception | None:
        if sighting is None:
            return None
        try:
            with translated():
                return self._fold(self._views.instance, sighting)
        except Exception as error:  # a bug about one job is for that job's reader alone
            return error

    def each(self, job_ids: Sequence[str]) -> Sequence[Instance | Exception | None]:
        """Return for each job what `present` returns, or the error that it raises.

        A job is read once, however often it is named.
        """
        found = {job_id: self._attempted(job_id) for job_id in dict.fromkeys(job_ids)}
        return [found[job_id] for job_id in job_ids]

    def _attempted(self, job_id: str) -> Instance | Exception | None:
        try:
            return self.present(job_id)
        except Exception as error:  # a bug about one job is for that job's reader alone
            return error

    def timeline(self, job_id: str) -> Timeline | None:
        """Return a job's timeline; None if the job has no event."""
        with translated():
            sighting = self._read_model.sight("timelines", job_id)
            timeline = self._fold(self._views.timeline, sighting)
        return timeline if timeline.version else None

    def page(self, wanted: JobFilter) -> Page:
        """Return a page of instances as of the read model's position, the newest first."""
        with translated():
            self._look_around()
            return self._paged(self._read_model.instances, wanted)

    def instances(self, wanted: JobFilter) -> Iterator[Instance]:
        """Yield at most `wanted.limit` instances, the newest first, as `measured_instances`."""
        some = msgspec.structs.replace(wanted, limit=min(wanted.limit, PAGE_JOBS))
        for instance, _ in islice(self.measured_instances(some), wanted.limit):
            yield self._with_uses([instance])[0]

    def measured_instances(self, wanted: JobFilter) -> Iterator[tuple[Instance, int]]:
        """Yield all instances, the newest first, each with the length of its stored document.

        `wanted.limit` is how many are read at a time, and are in memory.
        """
        more = True
        while more:
            page, more = self._measured(wanted)
            yield from page
            if page:
                before = page[-1][0].first_position
                wanted = msgspec.structs.replace(wanted, before=before)

    def _measured(self, wanted: JobFilter) -> tuple[Sequence[tuple[Instance, int]], bool]:
        with translated():
            self._look_around()
            rows = deque(self._read_model.instances(wanted))
            more = bool(rows) and is_full(rows, wanted.limit)
            return list(self._of_rows(rows)), more

    def _of_rows(self, rows: deque[Row]) -> Iterator[tuple[Instance, int]]:
        """Yield each row's instance with the length of its document; take the rows out."""
        # A document and its state take about the same, and 4 MiB of documents up to 40 MB together.
        while rows:
            row = rows.popleft()
            sighting = Sighting(row.job_id, row.document, ())
            yield self._fold(self._views.instance, sighting), len(row.document)

    def count(self, wanted: JobFilter) -> int:
        """Return how many instances pass the filter, at most `limit`, without reading them."""
        with translated():
            return self._read_model.count(wanted)

    def position(self) -> int:
        """Return the position that lists are as of."""
        with translated():
            return self._read_model.position()

    def instances_of_agent(self, agent_id: str, user_id: str | None = None) -> Iterator[Instance]:
        """Yield the agent's instances, the newest first; a page of them is in memory at a time."""
        wanted = JobFilter(agent_id=agent_id, user_id=user_id, limit=PAGE_JOBS)
        yield from (instance for instance, _ in self.measured_instances(wanted))

    def last_run(self, workflow: str) -> Instance | None:
        """Return the newest job of a workflow (`name@version`), or of those that name none (empty).

        Which job that is, is as of the read model's position; its state is never stale. None if
        there is no job. Raises `NotRebuiltYet`.
        """
        with translated():
            self._refuse_older_rows()
            row = self._read_model.last_run(workflow)
        return self.instance(row.job_id) if row else None

    def attention(self, wanted: AttentionFilter) -> Page:
        """Return a page of jobs that may need somebody, the worst first.

        It is as of the read model's position. Raises `NotRebuiltYet`.
        """
        with translated():
            self._refuse_older_rows()
            return self._paged(self._read_model.attention, wanted)

    def _paged(self, read: Callable[[Filter], Sequence[Row]], wanted: Filter) -> Page:
        # A row more than wanted tells that more follow.
        rows = deque(read(msgspec.structs.replace(wanted, limit=wanted.limit + 1)))
        more = bool(rows) and is_full(rows, wanted.limit + 1)
        instances = [instance for instance, _ in self._of_rows(rows)]
        return Page(self._uses.added_to(instances[: wanted.limit]), more)

    def attention_counts(self, now: datetime) -> Mapping[Group, int]:
        """Return the number of jobs that need somebody by their worst group of reasons.

        Raises `NotRebuiltYet`.
        """
        with translated():
            self._refuse_older_rows()
            counts = self._read_model.attention_counts(now)
        return {group: counts.get(rank, 0) for group, rank in RANKS.items()}

    def _refuse_older_rows(self) -> None:
        if self._read_model.edition().is_older_than(self._read_model.shape):
            raise NotRebuiltYet

    def status(self) -> Status:
        """Return the positions of the log, the read model and a rebuild, and what was set aside."""
        with translated():
            return Status(
                self._read_model.log.newest_position(),
                self._read_model.position(),
                self._read_model.set_aside(),
                self._read_model.edition().shape,
                self._read_model.rebuilt_position(),
            )

    def counts(self) -> Mapping[str, int]:
        """Return the number of instances by status, as of the read model's position."""
        with translated():
            return self._read_model.counts()

    def _look_around(self) -> None:
        """Read what health is measured by, now and then: no single read has to ask for it."""
        now = monotonic()
        if self._looked_around_at is None or now >= self._looked_around_at + LOOK_SECONDS:
            self._looked_around_at = now
            self._read_model.log.read_clock()
            if self.first_start is None and (text := self._read_model.note(FIRST_START)):
                self.first_start = datetime.fromisoformat(text)

    def _fold(self, view: View[State], sighting: Sighting) -> State:
        # The projector sets aside and logs what it passes over; a read does not log it again.
        passed_over: list[SetAside] = []
        history = partial(pages_of, self._read_model.log.history)
        return fold_sighting(view, sighting, self._mapper, history, passed_over)
