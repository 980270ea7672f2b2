"""Every job's history: versions, order, events that cannot be read, rows, snapshots, keys."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import msgspec

from domain.log.mapper import JobEventMapper, decoded
from domain.log.stored import Stored
from domain.workflows.definition import Workflows
from projections.comparing.contract import AFTER_LAST, BEFORE_ALL
from projections.comparing.job_history import History, jobs_by_page, pages
from projections.comparing.rows import RowComparison, RowDifference
from projections.read_model.contract import SHAPE, ReadModel
from projections.verification.findings import Finding, Report
from projections.verification.inspection.contract import Inspection
from projections.verification.inspection.log_pages import PAGE
from projections.verification.job_checks.job_snapshots import JobSnapshots
from projections.verification.job_checks.keys_from_events import Names
from projections.verification.job_checks.rows import row_findings
from projections.verification.job_checks.set_aside import Asides
from projections.verification.job_checks.view_snapshots import ViewSnapshots
from projections.verification.tree_checks.suspects import Suspects

JOBS_AT_ONCE = 256
REPORTED_ONE_BY_ONE = 20
"""How many consecutive missing versions are reported one by one."""


class Progress(msgspec.Struct, frozen=True):
    """How far the check is: the last checked job, and the numbers of checked jobs and events.

    `set_aside` counts events that cannot be folded and are set aside, or not projected yet.
    """

    job_id: str | None = None
    jobs: int = 0
    events: int = 0
    set_aside: int = 0


class Histories:
    """Checks jobs in order of their ids; holds some hundred jobs in memory."""

    def __init__(
        self,
        inspection: Inspection,
        read_model: ReadModel,
        mapper: JobEventMapper,
        workflows: Workflows,
        suspects: Suspects,
        upto: int,
        report: Report,
        progress: Progress,
    ) -> None:
        self._inspection = inspection
        self._read_model = read_model
        self._mapper = mapper
        self._suspects = suspects
        self._report = report
        self.progress = progress
        # Rows of another release's shape are not used for answers, so they are not compared.
        self.are_rows_comparable = read_model.edition().shape == SHAPE
        self._rows = RowComparison(inspection, read_model, mapper, workflows)
        self._views = ViewSnapshots(self._rows.views, inspection, mapper, report)
        self._jobs = JobSnapshots(inspection, mapper, report)
        self._asides = Asides(inspection, report)
        self._names = Names(inspection, upto, report)
        self._done: list[History] = []

    def check(self, advance: Callable[[int], object]) -> None:
        """Check all jobs, and rows without a job; call `advance` with the events of each page."""
        job_id = self.progress.job_id
        after = BEFORE_ALL if job_id is None else (job_id, AFTER_LAST)
        history: History | None = None
        for page in jobs_by_page(self._inspection, after):
            self._begin({id_ for id_, _ in page} - {history.job_id if history else None})
            for job_id, events in page:
                if history is None or history.job_id != job_id:
                    self._end(history)
                    history = History(job_id)
                self._go_on(history, events)
            advance(sum(len(events) for _, events in page))
        self._end(history)
        self._compare()
        if self.are_rows_comparable:
            self._tell_rows(self._rows.without_events())
        self._asides.check_lost()
        self._tell_lost_snapshots()

    def check_one(self, job_id: str) -> int:
        """Check one job; return the number of its events."""
        history = History(job_id)
        self._begin([job_id])
        for events in pages(self._inspection, job_id):
            self._go_on(history, events)
        self._done.append(history)
        self._compare()
        self._asides.check_lost(job_id)
        self._tell_lost_snapshots(job_id)
        return history.events

    def _begin(self, job_ids: Collection[str]) -> None:
        """Prepare for jobs whose first events come next."""
        self._jobs.begin(job_ids)
        if self.are_rows_comparable:
            self._views.begin(job_ids)

    def _go_on(self, history: History, events: list[Stored]) -> None:
        for event in events:
            if event.version != history.version + 1:
                self._tell_versions(history, event)
            if event.position <= history.position:
                expected = f"a position after {history.position}, that of the version before"
                found = f"position {event.position}"
                self._report(Finding.at(event, "order", expected=expected, found=found))
            history.version, history.position = event.version, event.position
        history.events += len(events)
        read = decoded(events, self._mapper)
        self._views.fold(history, read)
        self._jobs.follow(history.job_id, read)
        self._names.follow(read)

    def _tell_versions(self, history: History, event: Stored) -> None:
        """Report the versions that are missing before this event, or its impossible version."""
        missing = range(history.version + 1, event.version)
        gone = self._suspects.missing_between(history.position, event.position)
        known = dict(zip(missing, gone, strict=True)) if len(gone) == len(missing) else {}
        for version in missing[:REPORTED_ONE_BY_ONE]:
            self._tell_missing(event, version, known.get(version))
        if len(missing) > REPORTED_ONE_BY_ONE or not missing:
            expected, found = f"version {history.version + 1}", f"version {event.version}"
            self._report(Finding.at(event, "version", expected=expected, found=found))

    def _tell_missing(self, event: Stored, version: int, position: int | None) -> None:
        found = f"none before version {event.version} at position {event.position}"
        if now := self._suspects.formerly(event.job_id, version):
            position = now.position
            found = f"that event as version {now.version} of job {now.job_id!r}"
        self._report(
            Finding(
                kind="version",
                position=position,
                job_id=event.job_id,
                version=version,
                expected=f"version {version}",
                found=found,
            )
        )

    def _end(self, history: History | None) -> None:
        if history:
            self._done.append(history)
        if len(self._done) >= JOBS_AT_ONCE:
            self._compare()

    def _compare(self) -> None:
        """Check rows, snapshots, keys and unreadable events of the jobs that were read."""
        done, self._done = self._done, []
        if not done:
            return
        job_ids = [history.job_id for history in done]
        # The position is read first: events up to it that could not be folded are set aside by now.
        folded = self._read_model.position()
        known = self._asides.check(done, folded, are_ours=self.are_rows_comparable)
        if self.are_rows_comparable:
            states = [(history.instance, history.timeline) for history in done]
            self._tell_rows(self._rows.differences(states))
        self._views.end(job_ids)
        self._jobs.end(job_ids)
        self._names.end(done)
        self.progress = Progress(
            job_ids[-1],
            self.progress.jobs + len(done),
            self.progress.events + sum(history.events for history in done),
            self.progress.set_aside + known,
        )

    def _tell_rows(self, differences: Iterable[RowDifference]) -> None:
        for difference in differences:
            # What is set aside although it can be folded is a finding of its own.
            if not difference.is_set_aside:
                for finding in row_findings(difference):
                    self._report(finding)

    def _tell_lost_snapshots(self, job_id: str | None = None) -> None:
        after = ("", "", BEFORE_ALL[1])
        while lost := self._inspection.snapshots_without_events(after, PAGE, job_id):
            for after in lost:
                missing = f"the event that the snapshot of {after.view or 'the job'} is of"
                self._report(
                    Finding(
                        kind="snapshot",
                        job_id=after.job_id,
                        version=after.version,
                        expected=missing,
                        found="none",
                    )
                )
