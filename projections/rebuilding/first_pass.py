"""The first pass of a rebuild: the events that the log had at its beginning, job by job.

In order of position the events of many jobs alternate, and a row would be written again and again.
Job by job, each row is written once. The projector then folds later events by position.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from domain.log.reading.contract import NEWEST
from domain.log.stored import Stored
from projections.folding.job_fold import Folded, JobFold, New
from projections.folding.weight import weight
from projections.rebuilding.contract import RebuildForbidden, Shadow

PAGE = 4_000
"""The most events that one read returns. One transaction writes only the jobs that end among them,
because no other process can write to SQLite during a transaction."""
HELD_BYTES = 16 * 2**20
"""A transaction writes once the finished jobs take about this many bytes of memory."""


class FirstPass:
    """Folds the rest of the first pass into the tables of a rebuild.

    Jobs are folded in the database's order, and a row is written when its job is folded to the end.
    So an interrupted first pass goes on after the job of the last row. Until the first pass ends,
    the position of the tables is the number of events of the written jobs.
    """

    def __init__(self, shadow: Shadow, fold: JobFold, *, page: int = PAGE) -> None:
        self._shadow = shadow
        self._fold = fold
        self._page = page
        self._generation = 0
        self._position = 0
        self._new = New()
        self._bytes_of_ended = 0
        self._open: Folded | None = None
        self._events_of_open = 0
        self._events_of_ended = 0

    def catch_up(self, after_each: Callable[[int, int], object]) -> None:
        """Fold to the end of the first pass.

        After each page, call `after_each` with the number of its events and the position. The
        reported position includes events of the unfinished job, which are not stored yet.
        """
        left = self._shadow.first_pass()
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
            after_each(len(events), self._position + self._events_of_open)
        self._end_open()
        self._write()
        self._shadow.end_first_pass(self._generation, self._position, left.until)
        after_each(0, left.until)

    def _fold_in(self, events: Sequence[Stored]) -> None:
        # Each part ends where a snapshot is due, so that the snapshot is of that version.
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
        self._events_of_open += len(events)
        return after

    def _end_open(self) -> None:
        if self._open:
            self._new.states[self._open[0].job_id] = self._open
            self._bytes_of_ended += weight(self._open)
            self._events_of_ended += self._events_of_open
        self._open, self._events_of_open = None, 0
        if self._bytes_of_ended >= HELD_BYTES:
            self._write()

    def _write(self) -> None:
        """Write the finished jobs, and the snapshots and set-aside events of the unfinished job."""
        new, since = self._new, self._position
        if new.states or new.set_aside or new.snapshots:
            self._position += self._events_of_ended
            changes = self._fold.changes(since, self._position, new, self._generation)
            self._shadow.read_model.apply(changes)
        self._new, self._bytes_of_ended, self._events_of_ended = New(), 0, 0
