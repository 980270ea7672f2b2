"""One job as far as its events were read: both of its views, and what could not be folded."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import chain

from eventsourcing.persistence import MapperDeserialisationError

from domain.log.mapper import Decoded
from domain.log.stored import Stored
from projections.folding.fold import fold
from projections.read_model.contract import SetAside
from projections.verification.inspection.contract import BEFORE_ALL, Inspection
from projections.verification.inspection.log_pages import PAGE
from projections.views.instance import Instance
from projections.views.timeline import Timeline
from projections.views.view import Views


class History:
    """A job, as far as its events were read.

    `without` are the positions that the instance and the timeline pass over as an older release
    did, which could not read what is there.
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
        """Fold events that come next."""
        ours, theirs = (_without(read, positions) for positions in self._without)
        self.instance = fold(views.instance, self.instance, ours, self.passed_over)
        self.timeline = fold(views.timeline, self.timeline, theirs, self.passed_over)


def _without(read: Decoded, positions: Collection[int]) -> Decoded:
    if not positions:
        return read
    aside = MapperDeserialisationError("set aside")
    return [(stored, aside if stored.position in positions else event) for stored, event in read]


def pages(inspection: Inspection, job_id: str, first: int = PAGE) -> Iterator[list[Stored]]:
    """Read a job's events in order, page by page, the first page of at most so many."""
    after, limit = BEFORE_ALL[1], first
    while page := inspection.log.histories((job_id, after), limit):
        if events := [event for event in page if event.job_id == job_id]:
            yield events
        if len(events) < len(page):
            return
        after, limit = events[-1].version, PAGE


def events(inspection: Inspection, job_id: str, first: int = PAGE) -> Iterator[Stored]:
    """Read a job's events in order, one after the other."""
    return chain.from_iterable(pages(inspection, job_id, first))
