"""Comparing served rows with the fold of their jobs' events.

A row must have folded every event of its job up to the read model's position, and may have folded
more. A projector changes rows and position while they are read. So:

1. Compare the row with a state that was folded before. If they are the same, the row is right.
2. Else read the position, then the row, then the job's events. Fold the events that the row must
   have folded, and the events that the row claims to have folded.
3. Report the differences when a second look reads the same row and it still differs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any, Final, Generic

import msgspec

from domain.job.runs.machines import machines_in_use
from domain.log.mapper import JobEventMapper, decoded
from domain.log.parameters import utc_text
from domain.log.stored import Stored
from domain.workflows.definition import Workflows
from projections.comparing.contract import ServedRow, ServedRows
from projections.comparing.differences import Difference, of_documents
from projections.comparing.job_history import PAGE, pages, without
from projections.folding.fold import fold
from projections.folding.job_fold import Folded
from projections.folding.rows import instance_row
from projections.read_model.contract import ReadModel
from projections.read_model.machines import machine_rows
from projections.read_model.rows import TIMES, SetAside
from projections.read_model.tables import VIEWS
from projections.views.instance import Instance
from projections.views.view import State, UnreadableDocument, View, Views

LOOKS: Final = 5
"""The most reads of a row that differs, while it changes from one read to the next."""


class RowDifference(msgspec.Struct, frozen=True):
    """A row that differs from the fold of its job's events.

    `expected` and `actual` map the names of differing columns, and paths in the document, to their
    values. `actual` is None if the row is missing, `expected` if the job has no events. `version`
    and `position` are those of the last event that the row must have folded. `is_set_aside` is True
    if the row is right without events that are set aside although this release can fold them.
    """

    job_id: str
    view: str
    version: int | None
    position: int | None
    expected: Mapping[str, Any] | None
    actual: Mapping[str, Any] | None
    is_set_aside: bool = False


class RowComparison:
    """Compares the rows of the `wanted` views.

    It compares states, not texts: two documents of one state may be encrypted or written
    differently.
    """

    def __init__(
        self,
        reads: ServedRows,
        read_model: ReadModel,
        mapper: JobEventMapper,
        workflows: Workflows,
        wanted: Collection[str] = VIEWS,
    ) -> None:
        self.views = Views(mapper.cipher)
        of_both = (reads, read_model, mapper, workflows, self.views)
        by_view: Mapping[str, ViewComparison[Any]] = {
            "instances": ViewComparison(self.views.instance, *of_both),
            "timelines": ViewComparison(self.views.timeline, *of_both),
        }
        self.by_view = {name: by_view[name] for name in VIEWS if name in wanted}

    def differences(self, jobs: Sequence[Folded]) -> Iterator[RowDifference]:
        """Compare the rows of some jobs with their states, folded from the events read so far."""
        for name, rows in self.by_view.items():
            yield from rows.differences([states[VIEWS.index(name)] for states in jobs])

    def without_events(self) -> Iterator[RowDifference]:
        """Return rows of jobs that have no events."""
        for rows in self.by_view.values():
            yield from rows.without_events()


class ViewComparison(Generic[State]):
    """Compares the rows of one view."""

    def __init__(
        self,
        view: View[State],
        reads: ServedRows,
        read_model: ReadModel,
        mapper: JobEventMapper,
        workflows: Workflows,
        views: Views,
    ) -> None:
        self.view = view
        self._reads = reads
        self._read_model = read_model
        self._mapper = mapper
        self._workflows = workflows
        self._views = views

    def differences(self, states: Sequence[State]) -> Iterator[RowDifference]:
        """Compare the rows of some jobs with their states; look again at a row that differs."""
        rows = self._reads.rows(self.view.name, [state.job_id for state in states])
        for state in states:
            row = rows.get(state.job_id)
            if row is None and not state.version:
                continue
            if row is None or self._between(state, row):
                if difference := self._look_again(state.job_id):
                    yield difference

    def without_events(self) -> Iterator[RowDifference]:
        """Return rows of jobs that have no events."""
        after = ""
        while rows := self._reads.rows_without_events(self.view.name, after, PAGE):
            for job_id, row in rows.items():
                after = job_id
                try:
                    position = self.view.load(job_id, row.document).position
                except UnreadableDocument:
                    position = None
                actual = {"row": "of a job without events"}
                version = _version(row)
                yield RowDifference(job_id, self.view.name, version, position, None, actual)

    def _look_again(self, job_id: str) -> RowDifference | None:
        seen: list[ServedRow | None] = []
        for _ in range(LOOKS):
            # Read the position first: a row that is read later has folded all events up to it.
            position = self._read_model.position()
            row = self._reads.rows(self.view.name, [job_id]).get(job_id)
            difference = self._difference(job_id, row, position)
            if difference is None or seen == [row]:
                return difference
            seen = [row]
        return None  # the row changed between all LOOKS reads: it is being projected now

    def _difference(
        self, job_id: str, row: ServedRow | None, position: int
    ) -> RowDifference | None:
        state = self._folded(job_id, row, position)
        if row is None:
            # Before the projector reaches the job's first event, it is right that no row exists.
            return self._made(state, self._named(state), None) if state.version else None
        differing = self._between(state, row)
        if not differing:
            return None
        return self._made(
            state,
            {name: expected for name, expected, _ in differing},
            {name: actual for name, _, actual in differing},
            is_set_aside=self._is_right_without_set_aside(job_id, row, position),
        )

    def _is_right_without_set_aside(self, job_id: str, row: ServedRow, position: int) -> bool:
        # An older release may have set aside events that this release can read, for one view or
        # for both. They stay set aside until a projector of this release tries again.
        aside = self._reads.set_aside([job_id])
        of_view = {each.position for each in aside if each.view == self.view.name}
        of_both = {each.position for each in aside}
        return any(
            not self._between(self._folded(job_id, row, position, passed_over), row)
            for passed_over in (of_view, of_both)
            if passed_over
        )

    def _folded(
        self,
        job_id: str,
        row: ServedRow | None,
        position: int,
        passed_over: Collection[int] = (),
    ) -> State:
        """Fold the job's events up to a position, and those that the row claims to have folded."""
        version = (_version(row) if row else None) or 0
        state = self.view.load(job_id, None)
        unused: list[SetAside] = []

        def is_folded(event: Stored) -> bool:
            return event.version <= version or event.position <= position

        for page in pages(self._reads, job_id):
            events = list(takewhile(is_folded, page))
            read = without(decoded(events, self._mapper), passed_over)
            state = fold(self.view, state, read, unused)
            if len(events) < len(page):
                break
        return state

    def _between(self, state: State, row: ServedRow) -> list[Difference]:
        """Return the differences between a state and a row."""
        expected = {"version": state.version, **self._columns(state)}
        return [
            (name, value, row.columns[name])
            for name, value in expected.items()
            if row.columns[name] != value
            and not (name == "current_step" and self._may_be_current(state, row.columns[name]))
            and not (name in TIMES and not self._is_defined(state))
        ] + of_documents(self.view, state, row.document)

    def _columns(self, state: State) -> Mapping[str, Any]:
        """Return the columns of the view's rows, without the job's id, version and document."""
        if not isinstance(state, Instance):
            return {}
        columns = msgspec.structs.asdict(instance_row(state, self._views, self._workflows))
        for name in ("job_id", "version", "document"):
            del columns[name]
        for name in TIMES:
            if time := columns[name]:
                columns[name] = utc_text(time)
        machines = machine_rows(state.job_id, machines_in_use(state.runs))
        columns["machines"] = ",".join(row.machine for row in machines) or None
        return columns

    def _may_be_current(self, state: State, step: object) -> bool:
        """Tell whether this may be the current step of a job whose workflow is not defined.

        Such a job has the steps in the default workflow's order, which may have been different when
        the row was folded. So any step that the attempt reached may be the furthest one.
        """
        if not isinstance(state, Instance) or state.attempt.status != "provisioning":
            return False
        return not self._is_defined(state) and step in state.attempt.steps

    def _is_defined(self, state: State) -> bool:
        """Tell whether the job's workflow is defined.

        Else the job has the order and the deadlines of the default, which may have been another
        workflow when the row was folded.
        """
        return state.workflow in {workflow.ref for workflow in self._workflows}

    def _named(self, state: State) -> Mapping[str, Any]:
        """Return all names and values of the row of a state."""
        document = msgspec.to_builtins(state)
        return {
            "version": state.version,
            **self._columns(state),
            **{f"document.{name}": value for name, value in document.items()},
        }

    def _made(
        self,
        state: State,
        expected: Mapping[str, Any],
        actual: Mapping[str, Any] | None,
        *,
        is_set_aside: bool = False,
    ) -> RowDifference:
        return RowDifference(
            str(state.job_id),
            self.view.name,
            state.version,
            state.position or None,
            expected,
            actual,
            is_set_aside,
        )


def _version(row: ServedRow) -> int | None:
    """Return the version in a row; None if somebody wrote a value of another type."""
    version = row.columns["version"]
    return version if isinstance(version, int) else None
