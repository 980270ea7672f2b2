"""The past of a rebuild: what the log had when it began, folded one job after the other.

By position, the jobs of a log take turns, and each turn would write their rows again. Job by job,
every row is written once. What came in since is folded by position afterwards, by the projector.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from domain.log.reading.contract import NEWEST
from domain.log.stored import Stored
from projections.folding.job_fold import Folded, JobFold, New
from projections.rebuilding.contract import RebuildForbidden, Shadow

PAGE = 4_000
"""How many events are read at once. The jobs that end among them are written in one transaction:
not more, because SQLite lets nobody else write meanwhile."""


class Past:
    """Folds into a rebuild's tables what is left of its past.

    Jobs come in the database's order, and rows of whole jobs are written, so that the last row
    tells where to go on. Until the past is over, the position counts the events of the jobs that
    are there.
    """

    def __init__(self, shadow: Shadow, fold: JobFold, *, page: int = PAGE) -> None:
        self._shadow = shadow
        self._fold = fold
        self._page = page
        self._generation = 0
        self._position = 0
        self._new = New()
        self._open: Folded | None = None
        self._of_open = 0
        self._of_ended = 0

    def catch_up(self, after_each: Callable[[int, int], object]) -> None:
        """Fold it all; tell after each page how many events it had, and the position.

        That is ahead of what is kept by the events of the one job that is not at its end.
        """
        left = self._shadow.past()
        if left is None:
            return
        rows = self._shadow.read_model
        self._generation, self._position = rows.edition().generation, rows.position()
        after = (left.after, NEWEST)
        while events := rows.log.histories(after, self._page, left.until):
            last, before = events[-1], after
            after = (str(last.job_id), last.version)
            if after == before:
                raise RebuildForbidden(
                    f"The row at position {last.position} has values of other types; "
                    "milepost verify says more."
                )
            self._fold_in(events)
            self._write()
            after_each(len(events), self._position + self._of_open)
        self._end_open()
        self._write()
        self._shadow.end_past(self._generation, self._position, left.until)
        after_each(0, left.until)

    def _fold_in(self, events: Sequence[Stored]) -> None:
        # Also cut where a snapshot is due, so that it is of that version.
        every = self._fold.snapshot_every
        for (job_id, _), some in groupby(
            events,
            lambda event: (str(event.job_id), (event.version - 1) // every),
        ):
            if self._open is None or self._open[0].job_id != job_id:
                self._end_open()
                self._open = self._fold.beginning(job_id)
            self._open = self._folded(self._open, list(some))

    def _folded(self, before: Folded, events: Sequence[Stored]) -> Folded:
        after = self._fold.folded(before, events, self._new.set_aside)
        self._new.snapshots += self._fold.snapshots(before, after)
        self._of_open += len(events)
        return after

    def _end_open(self) -> None:
        if self._open:
            self._new.states[self._open[0].job_id] = self._open
            self._of_ended += self._of_open
        self._open, self._of_open = None, 0

    def _write(self) -> None:
        """Write the jobs that have ended; of the one that has not, what would only be held."""
        new, since = self._new, self._position
        if new.states or new.set_aside or new.snapshots:
            self._position += self._of_ended
            changes = self._fold.changes(since, self._position, new, self._generation)
            self._shadow.read_model.apply(changes)
        self._new, self._of_ended = New(), 0
