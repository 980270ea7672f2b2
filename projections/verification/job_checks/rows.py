"""Rows of the read model against what their jobs' events come to.

A row moves on while it is looked at. So it is held against the events up to its own version, and
looked at again before anything is said of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Generic

import msgspec
from eventsourcing.persistence import MapperDeserialisationError

from domain.log.mapper import JobEventMapper, decoded
from domain.log.parameters import utc_text
from domain.workflows.definition import Workflows
from projections.folding.fold import fold
from projections.folding.rows import instance_row
from projections.read_model.contract import ReadModel, SetAside
from projections.verification.differences import Difference, of_documents
from projections.verification.findings import Finding, Report, shortened
from projections.verification.inspection.contract import Inspection, KeptRow
from projections.verification.inspection.job_history import events
from projections.verification.inspection.log_pages import PAGE
from projections.views.instance import Instance
from projections.views.view import State, UnreadableDocument, View, Views

LOOKS = 5
"""How often a row that does not fit, and moves on each time, is looked at."""


class Rows(Generic[State]):
    """Checks the rows of one view."""

    def __init__(
        self,
        view: View[State],
        views: Views,
        inspection: Inspection,
        read_model: ReadModel,
        mapper: JobEventMapper,
        workflows: Workflows,
        report: Report,
    ) -> None:
        self._view = view
        self._views = views
        self._inspection = inspection
        self._read_model = read_model
        self._mapper = mapper
        self._workflows = workflows
        self._report = report

    def check(self, states: Sequence[State]) -> None:
        """Hold the rows of some jobs against their states."""
        rows = self._inspection.rows(self._view.name, [state.job_id for state in states])
        for state in states:
            row = rows.get(state.job_id)
            if row is None or row.version != state.version or self._differences(state, row):
                self._look_again(state.job_id)

    def check_strangers(self) -> None:
        """Report rows of jobs that have no events."""
        after = ""
        while rows := self._inspection.rows_without_events(self._view.name, after, PAGE):
            for job_id, row in rows.items():
                after = job_id
                try:
                    position = self._view.load(job_id, row.document).position
                except UnreadableDocument:
                    position = None
                self._report(
                    Finding(
                        kind="row",
                        position=position,
                        job_id=job_id,
                        version=row.version,
                        expected=f"events of this job, since {self._view.name} has a row of it",
                        found="none",
                    )
                )

    def _look_again(self, job_id: str) -> None:
        before: KeptRow | None = None
        for _ in range(LOOKS):
            row = self._inspection.rows(self._view.name, [job_id]).get(job_id)
            if row is None:
                break
            # An older release may have set aside what this one can read, for this view or for all
            # of them, until a projector of this one tries again.
            aside = self._inspection.set_aside([job_id])
            known = {each.position for each in aside if each.view == self._view.name}
            for passed_over in (known, {each.position for each in aside}):
                state = self._folded(job_id, row.version, passed_over)
                differences = self._differences(state, row)
                if not differences:
                    return
            if row == before:
                for what, expected, there in differences:
                    self._tell(state, what, expected, there)
                return
            before = row
        else:
            return  # it moves on faster than it can be folded, and was right to each time
        self._look_for_missing(job_id)

    def _look_for_missing(self, job_id: str) -> None:
        first = next(events(self._inspection, job_id), None)
        # The position is read before the row that is to be there by then.
        if first is None or first.position > self._read_model.position():
            return
        if job_id not in self._inspection.rows(self._view.name, [job_id]):
            self._tell(self._folded(job_id, None, ()), "row", "one", "none")

    def _folded(self, job_id: str, version: int | None, passed_over: Collection[int]) -> State:
        state = self._view.load(job_id, None)
        told: list[SetAside] = []
        for stored in events(self._inspection, job_id):
            if version is not None and stored.version > version:
                break
            [(event, fact)] = decoded([stored], self._mapper)
            if stored.position in passed_over:
                fact = MapperDeserialisationError("set aside")
            state = fold(self._view, state, [(event, fact)], told)
        return state

    def _differences(self, state: State, row: KeptRow) -> list[Difference]:
        found: list[Difference] = []
        if row.version != state.version:
            found.append(("version", state.version, row.version))
        expected: Mapping[str, Any] = {}
        if isinstance(state, Instance):
            expected = self._columns(state)
        found += [
            (f"column {name}", value, row.columns[name])
            for name, value in expected.items()
            if row.columns[name] != value
        ]
        return found + of_documents(self._view, state, row.document)

    def _columns(self, state: Instance) -> Mapping[str, Any]:
        columns = msgspec.structs.asdict(instance_row(state, self._views, self._workflows))
        for name in ("job_id", "version", "document"):
            del columns[name]
        if silent_since := columns["silent_since"]:
            columns["silent_since"] = utc_text(silent_since)
        if state.workflow not in {workflow.ref for workflow in self._workflows}:
            # The order of its steps is the default's, which may have been another one then.
            del columns["current_step"]
        return columns

    def _tell(self, state: State, what: str, expected: object, there: object) -> None:
        self._report(
            Finding(
                kind="row",
                position=state.position or None,
                job_id=state.job_id,
                version=state.version,
                expected=f"{self._view.name} {what} {shortened(expected)}, as the events have it",
                found=shortened(there),
            )
        )
