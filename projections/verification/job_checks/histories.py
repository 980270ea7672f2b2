"""Every job's history: versions, order, whether it can be read, and the rows it comes to."""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import groupby

import msgspec

from domain.log.mapper import JobEventMapper, decoded
from domain.log.stored import Stored
from domain.workflows.definition import Workflows
from projections.read_model.contract import SHAPE, ReadModel
from projections.tree.contract import TreeBroken
from projections.verification.findings import Finding, Report
from projections.verification.inspection.contract import AFTER_LAST, BEFORE_ALL, Inspection
from projections.verification.inspection.job_history import History, pages
from projections.verification.inspection.log_pages import PAGE
from projections.verification.job_checks.job_snapshots import JobSnapshots
from projections.verification.job_checks.keys_from_events import Names
from projections.verification.job_checks.rows import Rows
from projections.verification.job_checks.set_aside import Asides
from projections.verification.job_checks.view_snapshots import ViewSnapshots
from projections.verification.tree_checks.suspects import Suspects
from projections.views.view import Views

JOBS_AT_ONCE = 256
TOLD_ONE_BY_ONE = 20
"""How many missing versions in a row are told one by one."""


class Standing(msgspec.Struct, frozen=True):
    """How far this is: all jobs up to this one, and how many jobs and events those were.

    `set_aside` counts events that cannot be folded, and are known for it.
    """

    job_id: str | None = None
    jobs: int = 0
    events: int = 0
    set_aside: int = 0


class Histories:
    """Checks jobs in order of their ids; memory is that of some hundred jobs."""

    def __init__(
        self,
        inspection: Inspection,
        read_model: ReadModel,
        mapper: JobEventMapper,
        workflows: Workflows,
        suspects: Suspects,
        upto: int,
        report: Report,
        standing: Standing,
    ) -> None:
        self._inspection = inspection
        self._read_model = read_model
        self._mapper = mapper
        views = Views(mapper.cipher)
        self._suspects = suspects
        self._report = report
        self.standing = standing
        # Rows of another release's shape are folded anew before they are used.
        self.are_rows_comparable = read_model.edition().shape == SHAPE
        among = (views, inspection, read_model, mapper, workflows, report)
        self._instances = Rows(views.instance, *among)
        self._timelines = Rows(views.timeline, *among)
        self._views = ViewSnapshots(views, inspection, mapper, report)
        self._jobs = JobSnapshots(inspection, mapper, report)
        self._asides = Asides(inspection, report)
        self._names = Names(inspection, upto, report)
        self._done: list[History] = []

    def check(self, advance: Callable[[int], object]) -> None:
        """Check all jobs, and the rows that have none; tell `advance` how many events, at times."""
        job_id = self.standing.job_id
        after = BEFORE_ALL if job_id is None else (job_id, AFTER_LAST)
        history: History | None = None
        while page := self._inspection.log.histories(after, PAGE):
            self._begin({event.job_id for event in page} - {history.job_id if history else None})
            for job_id, events in groupby(page, key=lambda event: event.job_id):
                if history is None or history.job_id != job_id:
                    self._end(history)
                    history = History(job_id)
                self._go_on(history, list(events))
            if (page[-1].job_id, page[-1].version) == after:
                raise TreeBroken(
                    f"the row at position {page[-1].position} has values of other types"
                )
            after = (page[-1].job_id, page[-1].version)
            advance(len(page))
        self._end(history)
        self._compare()
        if self.are_rows_comparable:
            self._instances.check_strangers()
            self._timelines.check_strangers()
        self._asides.check_lost()
        self._tell_lost_snapshots()

    def check_one(self, job_id: str) -> int:
        """Check one job; return how many events it has."""
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
        """Prepare for jobs of which nothing was read so far."""
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
        """Report the versions that are missing before this event, or that it cannot have."""
        missing = range(history.version + 1, event.version)
        gone = self._suspects.missing_between(history.position, event.position)
        known = dict(zip(missing, gone, strict=True)) if len(gone) == len(missing) else {}
        for version in missing[:TOLD_ONE_BY_ONE]:
            self._tell_missing(event, version, known.get(version))
        if len(missing) > TOLD_ONE_BY_ONE or not missing:
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
        """Check the rows of the jobs that were read, and what could not be read of them."""
        done, self._done = self._done, []
        if not done:
            return
        job_ids = [history.job_id for history in done]
        # In this order: what was set aside up to there is known by then.
        folded = self._read_model.position()
        known = self._asides.check(done, folded, are_ours=self.are_rows_comparable)
        if self.are_rows_comparable:
            self._instances.check([history.instance for history in done])
            self._timelines.check([history.timeline for history in done])
        self._views.end(job_ids)
        self._jobs.end(job_ids)
        self._names.end(done)
        self.standing = Standing(
            job_ids[-1],
            self.standing.jobs + len(done),
            self.standing.events + sum(history.events for history in done),
            self.standing.set_aside + known,
        )

    def _tell_lost_snapshots(self, job_id: str | None = None) -> None:
        after = ("", "", BEFORE_ALL[1])
        while lost := self._inspection.snapshots_without_events(after, PAGE, job_id):
            for after in lost:
                told = f"the event that the snapshot of {after.view or 'the job'} is of"
                self._report(
                    Finding(
                        kind="snapshot",
                        job_id=after.job_id,
                        version=after.version,
                        expected=told,
                        found="none",
                    )
                )
