"""Events that cannot be folded against the events that the read model set aside."""

from __future__ import annotations

from collections.abc import Sequence

from projections.comparing.contract import BEFORE_ALL
from projections.comparing.job_history import History
from projections.projecting.stepper import RETRIED
from projections.verification.findings import Finding, Report, shortened
from projections.verification.inspection.contract import Inspection, StoredSetAside
from projections.verification.inspection.log_pages import PAGE

TRY_AGAIN = (
    "one that this release can fold; if an older one set it aside, restart milepost serve, which "
    f"tries the newest {RETRIED:,} again, or run milepost rebuild; then verify again"
)


class Asides:
    """Reports foldable events that are set aside, and unfoldable ones that are not.

    A row without an event that is set aside counts as right. So a forger could hide an event from
    rows and snapshots by setting it aside.
    """

    def __init__(self, inspection: Inspection, report: Report) -> None:
        self._inspection = inspection
        self._report = report

    def check(self, histories: Sequence[History], folded: int, *, are_ours: bool) -> int:
        """Report wrong events of these jobs; return the number of events that are unfolded rightly.

        `folded` is the read model's position before this call. `are_ours` is False if a release of
        another shape wrote what is set aside.
        """
        rows = self._inspection.set_aside([history.job_id for history in histories])
        by_job: dict[str, list[StoredSetAside]] = {}
        for aside in rows:
            by_job.setdefault(aside.job_id, []).append(aside)
        known = 0
        for history in histories:
            asides = by_job.get(history.job_id, [])
            known += self._tell_unreadable(history, asides, folded)
            if are_ours:
                self._tell_readable(history, asides)
        return known

    def check_lost(self, job_id: str | None = None) -> None:
        """Report events that are set aside and are not in the log; of one job if it is given."""
        after = (BEFORE_ALL[1], "")
        while lost := self._inspection.set_aside_without_events(after, PAGE, job_id):
            for aside in lost:
                expected = f"{aside.topic}, which {aside.view} set aside, to be there"
                self._report(Finding.at(aside, "aside", expected=expected, found="no such event"))
            after = (lost[-1].position, lost[-1].view)

    def _tell_unreadable(
        self, history: History, asides: Sequence[StoredSetAside], folded: int
    ) -> int:
        """Report events that cannot be folded and that the projector did not set aside.

        Returns the number of the other ones: they are set aside, or not projected yet.
        """
        # An event that no view can read is set aside once, under the first view.
        set_aside = {aside.position for aside in asides}
        by_position = {event.position: event for event in history.passed_over}
        known = 0
        for event in by_position.values():
            if event.position in set_aside or event.position > folded:
                known += 1
                continue
            expected, found = "an event that can be read, or was set aside", shortened(event.error)
            self._report(Finding.at(event, "unreadable", expected=expected, found=found))
        return known

    def _tell_readable(self, history: History, asides: Sequence[StoredSetAside]) -> None:
        passed_over = {(event.position, event.view) for event in history.passed_over}
        for aside in asides:
            if aside.position <= history.position:
                if (aside.position, aside.view) not in passed_over:
                    expected = f"an event that {aside.view} cannot fold, since it was set aside"
                    self._report(Finding.at(aside, "aside", expected=expected, found=TRY_AGAIN))
