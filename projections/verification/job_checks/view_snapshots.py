"""Stored snapshots of the views against what the events come to at their versions.

Time travel and the history begin from a snapshot, so a forged one would show another past. A
missing snapshot is no finding, because snapshots are a cache.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence

from domain.log.mapper import Decoded, JobEventMapper, decoded
from domain.log.parameters import utc_text
from projections.comparing.differences import Difference, of_documents
from projections.comparing.job_history import History, pages
from projections.comparing.rows import LOOKS
from projections.verification.findings import Finding, Report, shortened
from projections.verification.inspection.contract import Inspection, StoredViewSnapshot
from projections.views.view import Views

DOCUMENTS = 64
"""How many documents are in memory at once: the documents of a long job are large."""


class ViewSnapshots:
    """Checks the snapshots of jobs while these are folded."""

    def __init__(
        self, views: Views, inspection: Inspection, mapper: JobEventMapper, report: Report
    ) -> None:
        self._views = views
        self._inspection = inspection
        self._mapper = mapper
        self._report = report
        self._kept: set[str] = set()
        self._doubtful: set[str] = set()

    def begin(self, job_ids: Collection[str]) -> None:
        """Look up which jobs have snapshots; the first events of these jobs come next."""
        self._kept.update(self._inspection.jobs_with_view_snapshots(job_ids))

    def fold(self, history: History, read: Decoded) -> None:
        """Fold a job's next events and compare its snapshots; `end` reports what differs."""
        if history.job_id not in self._kept:
            return history.fold(self._views, read)
        for snapshot in self._on_the_way([history], read):
            if self._differences(snapshot, history):
                self._doubtful.add(history.job_id)
        return None

    def end(self, job_ids: Collection[str]) -> None:
        """Look again at snapshots of these jobs that differed, and report those that still do."""
        self._kept -= set(job_ids)
        for job_id in self._doubtful.intersection(job_ids):
            self._look_again(job_id)
        self._doubtful -= set(job_ids)

    def _look_again(self, job_id: str) -> None:
        # An older release may have set aside an event that this one can read: its snapshots are
        # right without that event. An event that no view can read is set aside for instances only.
        aside = self._inspection.set_aside([job_id])
        everything = {each.position for each in aside}
        ours, theirs = (
            {each.position for each in aside if each.view == name}
            for name in (self._views.instance.name, self._views.timeline.name)
        )
        histories = [History(job_id)]
        if aside:
            histories += [History(job_id, (ours, everything)), History(job_id, (ours, theirs))]
        for events in pages(self._inspection, job_id):
            read = decoded(events, self._mapper)
            for snapshot in self._on_the_way(histories, read):
                self._settle(snapshot, histories)

    def _settle(self, snapshot: StoredViewSnapshot, histories: Sequence[History]) -> None:
        """Report a snapshot that differs from all the histories at two looks in a row."""
        for _ in range(LOOKS):
            if not all(self._differences(snapshot, history) for history in histories):
                return None
            there = self._between(snapshot.job_id, snapshot.version, snapshot.version)
            now = next((each for each in there if each.view == snapshot.view), None)
            if now is None:
                return None  # deleted meanwhile: the projector tries again what is set aside
            if now == snapshot:
                return self._tell(snapshot, histories[0])
            snapshot = now
        return None

    def _on_the_way(
        self, histories: Sequence[History], read: Decoded
    ) -> Iterator[StoredViewSnapshot]:
        """Fold events; yield each snapshot when its version is folded."""
        versions = [stored.version for stored, _ in read]
        done = 0
        for snapshot in self._between(histories[0].job_id, versions[0], versions[-1]):
            until = bisect_right(versions, snapshot.version)
            for history in histories:
                history.fold(self._views, read[done:until])
            done = until
            if histories[0].instance.version == snapshot.version:
                yield snapshot
        for history in histories:
            history.fold(self._views, read[done:])

    def _between(self, job_id: str, first: int, last: int) -> Iterator[StoredViewSnapshot]:
        after = first, ""
        while page := self._inspection.view_snapshots(job_id, after, last, DOCUMENTS):
            yield from page
            after = page[-1].version, page[-1].view

    def _differences(self, snapshot: StoredViewSnapshot, history: History) -> list[Difference]:
        found: list[Difference] = []
        if snapshot.view == self._views.instance.name:
            found += of_documents(self._views.instance, history.instance, snapshot.document)
        elif snapshot.view == self._views.timeline.name:
            found += of_documents(self._views.timeline, history.timeline, snapshot.document)
        else:
            found.append(("view", "one that there is", snapshot.view))
        recorded = history.instance.recorded_up_to
        expected = utc_text(recorded) if recorded else None
        if snapshot.recorded_at != expected:
            found.append(("recorded_at", expected, snapshot.recorded_at))
        return found

    def _tell(self, snapshot: StoredViewSnapshot, history: History) -> None:
        for what, expected, there in self._differences(snapshot, history):
            self._report(
                Finding(
                    kind="snapshot",
                    position=history.instance.position,
                    job_id=snapshot.job_id,
                    version=snapshot.version,
                    expected=f"snapshot of {snapshot.view} {what} {shortened(expected)}, "
                    "as the events have it",
                    found=shortened(there),
                )
            )
