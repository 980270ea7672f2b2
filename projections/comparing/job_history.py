"""The log, read job by job, and one job, folded while its events are read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import chain, groupby
from operator import attrgetter

from eventsourcing.persistence import MapperDeserialisationError

from domain.log.mapper import Decoded
from domain.log.stored import Stored
from projections.comparing.contract import BEFORE_ALL, ServedRows
from projections.folding.fold import fold
from projections.read_model.rows import SetAside
from projections.tree.contract import TreeBroken
from projections.views.instance import Instance
from projections.views.timeline import Timeline
from projections.views.view import Views

PAGE = 2_048
"""The most events that one read returns."""


class History:
    """A job after the events that were read so far.

    `without` has two sets of positions. The instance passes over the events at the first positions,
    the timeline over the events at the second positions: an older release could not read them.
    """

    def __init__(
        self, job_id: str, without: tuple[Collection[int], Collection[int]] = ((), ())
    ) -> None:
        self.job_id = job_id
        self.version = self.position = self.events = 0
        self.instance, self.timeline = Instance(job_id), Timeline(job_id)
        self.passed_over: list[SetAside] = []
        self._without = without

    def fold(self, views: Views, read: Decoded) -> None:
        """Fold the events that come next."""
        of_instance, of_timeline = (without(read, positions) for positions in self._without)
        self.instance = fold(views.instance, self.instance, of_instance, self.passed_over)
        self.timeline = fold(views.timeline, self.timeline, of_timeline, self.passed_over)


def without(read: Decoded, positions: Collection[int]) -> Decoded:
    """Return the same events, with an error in place of each event at these positions."""
    if not positions:
        return read
    error = MapperDeserialisationError("set aside")
    return [(stored, error if stored.position in positions else event) for stored, event in read]


def jobs_by_page(
    reads: ServedRows, after: tuple[str, int] = BEFORE_ALL
) -> Iterator[Sequence[tuple[str, list[Stored]]]]:
    """Read the log in order of job and version, from the event after these.

    Each page has jobs with some of their events; the last job of a page may go on in the next one.
    Raises `TreeBroken` for a row whose values have other types, which have no place in that order.
    """
    while page := reads.log.histories(after, PAGE):
        yield [(job_id, list(events)) for job_id, events in groupby(page, attrgetter("job_id"))]
        last = (page[-1].job_id, page[-1].version)
        if last == after:
            raise TreeBroken(f"the row at position {page[-1].position} has values of other types")
        after = last


def pages(reads: ServedRows, job_id: str, first: int = PAGE) -> Iterator[list[Stored]]:
    """Read one job's events in order, page by page; the first page has at most `first` events."""
    after, limit = BEFORE_ALL[1], first
    while page := reads.log.histories((job_id, after), limit):
        if events := [event for event in page if event.job_id == job_id]:
            yield events
        if len(events) < len(page):
            return
        after, limit = events[-1].version, PAGE


def events(reads: ServedRows, job_id: str, first: int = PAGE) -> Iterator[Stored]:
    """Read one job's events in order, one after the other; see `pages`."""
    return chain.from_iterable(pages(reads, job_id, first))
