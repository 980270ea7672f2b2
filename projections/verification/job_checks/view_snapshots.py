"""Kept snapshots of the views against what the events come to at their versions.

Time travel and the history begin from them, so a forged one would tell another past. One that is
not there is no finding: they are a cache.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence

from domain.log.mapper import Decoded, JobEventMapper, decoded
from domain.log.parameters import utc_text
from projections.verification.differences import Difference, of_documents
from projections.verification.findings import Finding, Report, shortened
from projections.verification.inspection.contract import Inspection, KeptView
from projections.verification.inspection.job_history import History, pages
from projections.verification.job_checks.rows import LOOKS
from projections.views.view import Views

DOCUMENTS = 64
"""How many documents are held at once: those of a long job are large."""


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
        """Look which of these jobs, of which nothing was read so far, have snapshots."""
        self._kept.update(self._inspection.jobs_with_view_snapshots(job_ids))

    def fold(self, history: History, read: Decoded) -> None:
        """Fold a job's next events and compare on the way; `end` tells what does not fit."""
        if history.job_id not in self._kept:
            return history.fold(self._views, read)
        for kept in self._on_the_way([history], read):
            if self._differences(kept, history):
                self._doubtful.add(history.job_id)
        return None

    def end(self, job_ids: Collection[str]) -> None:
        """Tell what is wrong with snapshots of these jobs that did not fit, if it still is."""
        self._kept -= set(job_ids)
        for job_id in self._doubtful.intersection(job_ids):
            self._look_again(job_id)
        self._doubtful -= set(job_ids)

    def _look_again(self, job_id: str) -> None:
        # An older release may have set aside what this one can read: its snapshots are right
        # without that. Of an event that no view can read, only the instance says so.
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
            for kept in self._on_the_way(histories, read):
                self._settle(kept, histories)

    def _settle(self, kept: KeptView, histories: Sequence[History]) -> None:
        """Report a snapshot that fits none of the histories, and stays as it is."""
        for _ in range(LOOKS):
            if not all(self._differences(kept, history) for history in histories):
                return None
            there = self._between(kept.job_id, kept.version, kept.version)
            now = next((each for each in there if each.view == kept.view), None)
            if now is None:
                return None  # forgotten meanwhile: events that were set aside are tried again
            if now == kept:
                return self._tell(kept, histories[0])
            kept = now
        return None

    def _on_the_way(self, histories: Sequence[History], read: Decoded) -> Iterator[KeptView]:
        """Fold events; stop at every snapshot of one of their versions."""
        versions = [stored.version for stored, _ in read]
        done = 0
        for kept in self._between(histories[0].job_id, versions[0], versions[-1]):
            until = bisect_right(versions, kept.version)
            for history in histories:
                history.fold(self._views, read[done:until])
            done = until
            if histories[0].instance.version == kept.version:
                yield kept
        for history in histories:
            history.fold(self._views, read[done:])

    def _between(self, job_id: str, first: int, last: int) -> Iterator[KeptView]:
        after = first, ""
        while page := self._inspection.view_snapshots(job_id, after, last, DOCUMENTS):
            yield from page
            after = page[-1].version, page[-1].view

    def _differences(self, kept: KeptView, history: History) -> list[Difference]:
        found: list[Difference] = []
        if kept.view == self._views.instance.name:
            found += of_documents(self._views.instance, history.instance, kept.document)
        elif kept.view == self._views.timeline.name:
            found += of_documents(self._views.timeline, history.timeline, kept.document)
        else:
            found.append(("view", "one that there is", kept.view))
        recorded = history.instance.recorded_up_to
        expected = utc_text(recorded) if recorded else None
        if kept.recorded_at != expected:
            found.append(("recorded_at", expected, kept.recorded_at))
        return found

    def _tell(self, kept: KeptView, history: History) -> None:
        for what, expected, there in self._differences(kept, history):
            self._report(
                Finding(
                    kind="snapshot",
                    position=history.instance.position,
                    job_id=kept.job_id,
                    version=kept.version,
                    expected=f"snapshot of {kept.view} {what} {shortened(expected)}, "
                    "as the events have it",
                    found=shortened(there),
                )
            )
