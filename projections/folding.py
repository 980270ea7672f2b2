"""Folding stored events into a view, for the projector and for reads alike."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar
from uuid import UUID

from eventsourcing.persistence import MapperDeserialisationError, Notification

from domain.events import JobEvent
from domain.mapper import JobEventMapper
from projections.read_model import SetAside, Sighting
from projections.views import State, UnreadableDocument, View

log = logging.getLogger("milepost.projections")


class Placed(Protocol):
    """What a fold asks of a stored event, by the library's names; a `Notification` has it."""

    @property
    def id(self) -> int:
        """The position."""
        ...

    @property
    def originator_id(self) -> UUID | str:
        """The job."""
        ...

    @property
    def originator_version(self) -> int:
        """The version."""
        ...

    @property
    def topic(self) -> str:
        """The name."""
        ...


Event = TypeVar("Event", bound=Placed)
Decoded = Sequence[tuple[Placed, JobEvent | MapperDeserialisationError]]
"""Stored events, each with what it says or why that cannot be read."""


def decoded(
    events: Iterable[Event], read: Callable[[Event], JobEvent]
) -> Sequence[tuple[Event, JobEvent | MapperDeserialisationError]]:
    """Read stored events, once for all views."""
    found: list[tuple[Event, JobEvent | MapperDeserialisationError]] = []
    for stored in events:
        try:
            found.append((stored, read(stored)))
        except MapperDeserialisationError as error:
            found.append((stored, error))
    return found


def fold(view: View[State], state: State, events: Decoded, set_aside: list[SetAside]) -> State:
    """Fold events that come after the state; one that cannot be is passed over and set aside."""
    for stored, event in events:
        if stored.originator_version <= state.version:
            continue
        if isinstance(event, MapperDeserialisationError):
            set_aside.append(_told(view, stored, str(event)))
            state = view.passed_over(state, stored.originator_version, stored.id)
            continue
        try:
            state = view.evolve(state, event)
        except Exception as error:
            # Whatever is wrong with our folding of one event, the others go on.
            set_aside.append(_told(view, stored, repr(error)))
            state = view.passed_over(state, stored.originator_version, stored.id)
    return state


def _told(view: View[State], stored: Placed, error: str) -> SetAside:
    job_id, version = str(stored.originator_id), stored.originator_version
    return SetAside(stored.id, job_id, version, stored.topic, error, view.name)


def begin(
    view: View[State],
    job_id: str,
    document: str | None,
    mapper: JobEventMapper,
    history: Callable[[str], Iterable[Notification]],
    set_aside: list[SetAside],
) -> State:
    """Return the state of a document; in the place of one that cannot be read, fold the history."""
    try:
        return view.load(job_id, document)
    except UnreadableDocument as error:
        log.warning("%s; folding the whole history", error)
        events = decoded(history(job_id), mapper.to_domain_event)
        return fold(view, view.load(job_id, None), events, set_aside)


def fold_sighting(
    view: View[State],
    sighting: Sighting,
    mapper: JobEventMapper,
    history: Callable[[str], Iterable[Notification]],
    set_aside: list[SetAside],
) -> State:
    """Return a job's state: its row, and the events that the row has not folded yet."""
    job_id, document = sighting.job_id, sighting.document
    state = begin(view, job_id, document, mapper, history, set_aside)
    events = decoded(sighting.tail, mapper.to_domain_event)
    return fold(view, state, events, set_aside)
