"""One job as far as its events were read: both of its views, and what could not be folded."""

from __future__ import annotations

from collections.abc import Collection

from eventsourcing.persistence import MapperDeserialisationError, Notification

from projections.folding import Decoded, fold
from projections.instance import Instance
from projections.read_model import SetAside
from projections.timeline import Timeline
from projections.tree import Stored
from projections.views import Views


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
    return [(stored, aside if stored.id in positions else event) for stored, event in read]


def notification(stored: Stored) -> Notification:
    """Return a stored event as the folds take it."""
    position, job_id, version, topic, state = stored
    return Notification(job_id, version, topic, state, id=position)
