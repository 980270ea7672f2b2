"""Comparing the rows that are served with what the events say."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Any, Final

import msgspec

from domain.log.mapper import JobEventMapper
from domain.workflows.definition import Workflows
from projections.folding.job_fold import JobFold
from projections.read_model.contract import InstanceRow, ReadModel, Row, SetAside
from projections.rebuilding.contract import Moment, Shadow
from projections.views.view import UnreadableDocument, View

PROJECTIONS: Final = ("instances", "timelines")
PAGE: Final = 200
"""How many jobs are compared as of one moment."""
CHUNK: Final = 2_000
"""How many events of a job are decoded at once."""


class Difference(msgspec.Struct, frozen=True):
    """A row that is not what the events say.

    `there` and `expected` map what differs, columns and fields of the document, to its values;
    None stands for no row.
    """

    job_id: str
    view: str
    there: Mapping[str, Any] | None
    expected: Mapping[str, Any] | None


class Comparison:
    """Compares rows of these views; what is encrypted or written differently may mean the same."""

    def __init__(
        self,
        read_model: ReadModel,
        shadow: Shadow,
        mapper: JobEventMapper,
        workflows: Workflows,
        wanted: Collection[str] = PROJECTIONS,
    ) -> None:
        self._read_model = read_model
        self._shadow = shadow
        self._fold = JobFold(mapper, workflows)
        self._wanted = [name for name in PROJECTIONS if name in wanted]

    def with_events(self) -> Iterator[tuple[int, list[Difference]]]:
        """Fold every job's history and compare it with the rows that are served; write nothing.

        Yields, page by page, how many jobs were compared and what differs.
        """
        after = ""
        while job_ids := self._shadow.jobs(after, PAGE):
            after = job_ids[-1]
            with self._shadow.moment() as moment:
                yield len(job_ids), list(self._page(moment, job_ids))
        yield 0, list(self._strangers())

    def with_rebuilt(self) -> Iterator[Difference]:
        """Compare the rows of a rebuild with those served, as far as both are folded.

        A job that has got events meanwhile, of which one of the two cannot know, is passed over.
        """
        rebuilt_to = self._shadow.read_model.position()
        for view in self._wanted:
            after = ""
            while rebuilt := self._shadow.rows(view, after, PAGE):
                after = rebuilt[-1].job_id
                with self._shadow.moment() as moment:
                    served_to = moment.position()
                    served = moment.rows(view, [row.job_id for row in rebuilt])
                newest = self._read_model.log.newest_position()
                for row in rebuilt:
                    there = served.get(row.job_id)
                    if there is None or there.version != row.version:
                        ours, theirs = self._position(view, row), self._position(view, there)
                        # What is beyond the log's end nobody can have got.
                        if ours > served_to or rebuilt_to < theirs <= newest:
                            continue
                    yield from self._difference(view, row.job_id, there, row)
        yield from self._strangers()

    def _position(self, view: str, row: Row | InstanceRow | None) -> int:
        """Return the position of the last event that a row says it has folded, or 0."""
        try:
            return self._view(view).load("", row.document).position if row else 0
        except UnreadableDocument:
            return 0

    def _strangers(self) -> Iterator[Difference]:
        for view in self._wanted:
            for job_id in self._shadow.strangers(view):
                yield Difference(job_id, view, {"row": "of a job without events"}, None)

    def _page(self, moment: Moment, job_ids: Sequence[str]) -> Iterator[Difference]:
        position = moment.position()
        served = {view: moment.rows(view, job_ids) for view in self._wanted}
        for job_id, expected in self._folded(moment, job_ids, position):
            for view in self._wanted:
                there, row = served[view].get(job_id), expected.get(view)
                yield from self._difference(view, job_id, there, row)

    def _folded(
        self, moment: Moment, job_ids: Sequence[str], position: int
    ) -> Iterator[tuple[str, Mapping[str, Row | InstanceRow]]]:
        told: list[SetAside] = []  # the projector has said it
        for job_id, events in groupby(moment.events(job_ids), lambda event: event.job_id):
            states = self._fold.beginning(str(job_id))
            up_to_here = (event for event in events if event.position <= position)
            while chunk := list(islice(up_to_here, CHUNK)):
                states = self._fold.folded(states, chunk, told)
                told.clear()
            rows: dict[str, Row | InstanceRow] = {}
            if states[0].version:
                rows["instances"], rows["timelines"] = self._fold.rows(states)
            yield str(job_id), rows

    def _difference(
        self, view: str, job_id: str, there: Row | InstanceRow | None, row: Row | InstanceRow | None
    ) -> Iterator[Difference]:
        if there == row:
            return
        if there is None or row is None:
            yield Difference(job_id, view, self._told(view, there), self._told(view, row))
            return
        found, expected = self._told(view, there), self._told(view, row)
        if found != expected:
            assert found is not None
            assert expected is not None
            names = [
                name for name in {**expected, **found} if found.get(name) != expected.get(name)
            ]
            yield Difference(
                job_id,
                view,
                {name: found.get(name) for name in names},
                {name: expected.get(name) for name in names},
            )

    def _told(self, view: str, row: Row | InstanceRow | None) -> dict[str, Any] | None:
        """Return the columns and the document's fields by name."""
        if row is None:
            return None
        columns = msgspec.structs.asdict(row)
        del columns["job_id"]
        document = columns.pop("document")
        try:
            state = self._view(view).load(row.job_id, document)
        except UnreadableDocument:
            return {**columns, "document": document}
        return columns | {f"document.{k}": v for k, v in msgspec.to_builtins(state).items()}

    def _view(self, name: str) -> View[Any]:
        views = self._fold.views
        return views.instance if name == "instances" else views.timeline
