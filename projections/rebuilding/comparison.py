"""Comparing all served rows with the events, or with the rows that a rebuild folded."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice

from domain.log.mapper import JobEventMapper, decoded
from domain.workflows.definition import Workflows
from projections.comparing.contract import ServedRows
from projections.comparing.job_history import History, jobs_by_page
from projections.comparing.rows import RowComparison, RowDifference
from projections.read_model.contract import ReadModel
from projections.read_model.rows import Row
from projections.read_model.tables import VIEWS
from projections.rebuilding.contract import Shadow
from projections.views.view import State, UnreadableDocument, View

JOBS = 200
"""The number of jobs whose rows one read returns."""


class Comparison:
    """Compares the served rows of the `wanted` views, and writes nothing."""

    def __init__(
        self,
        reads: ServedRows,
        read_model: ReadModel,
        shadow: Shadow,
        mapper: JobEventMapper,
        workflows: Workflows,
        wanted: Collection[str] = VIEWS,
    ) -> None:
        self._reads = reads
        self._read_model = read_model
        self._shadow = shadow
        self._mapper = mapper
        self._rows = RowComparison(reads, read_model, mapper, workflows, wanted)

    def with_events(self) -> Iterator[tuple[int, list[RowDifference]]]:
        """Fold every job's history and compare it with the served rows.

        Yields, for some jobs at a time, the number of jobs and the differences. Raises `TreeBroken`
        for an event whose row has values of other types.
        """
        jobs = self._folded()
        while some := list(islice(jobs, JOBS)):
            states = [(job.instance, job.timeline) for job in some]
            yield len(some), list(self._rows.differences(states))
        yield 0, list(self._rows.without_events())

    def with_rebuilt(self) -> Iterator[RowDifference]:
        """Compare the served rows with the rows of a rebuild, which has folded the events already.

        It passes over a job if the rebuild has folded events after the served rows' position.
        """
        for rows in self._rows.by_view.values():
            after = ""
            while rebuilt := self._shadow.rows(rows.view.name, after, JOBS):
                after = rebuilt[-1].job_id
                position = self._read_model.position()
                states = [_state(rows.view, row) for row in rebuilt]
                yield from rows.differences([each for each in states if each.position <= position])
        yield from self._rows.without_events()

    def _folded(self) -> Iterator[History]:
        """Fold one job after the other, each up to the read model's position."""
        job: History | None = None
        for page in jobs_by_page(self._reads):
            # Fold only up to the position: then rows that lag behind are right at the first look.
            position = self._read_model.position()
            for job_id, events in page:
                if job and job.job_id != job_id:
                    yield job
                    job = None
                job = job or History(job_id)
                up_to = [event for event in events if event.position <= position]
                job.fold(self._rows.views, decoded(up_to, self._mapper))
        if job:
            yield job


def _state(view: View[State], row: Row) -> State:
    try:
        return view.load(row.job_id, row.document)
    except UnreadableDocument:
        # For example, somebody changed the cipher's key. An empty state differs from the served
        # row, so the second look compares the row with the events.
        return view.load(row.job_id, None)
