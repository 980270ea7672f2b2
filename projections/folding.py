"""Folding stored events into a view, for the projector and for reads alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
from eventsourcing.domain import EventSourcingError
from eventsourcing.persistence import Notification

from domain.mapper import JobEventMapper
from projections.read_model import SetAside, Sighting
from projections.views import State, UnreadableDocument, View


def fold(
    view: View[State],
    state: State,
    events: Iterable[Notification],
    mapper: JobEventMapper,
    set_aside: list[SetAside] | None = None,
) -> State:
    """Fold events that come after the state; one that cannot be read or folded is passed over.

    What is passed over is added to `set_aside`, if that is given.
    """
    for stored in events:
        if stored.originator_version <= state.version:
            continue
        try:
            state = view.evolve(state, mapper.to_domain_event(stored))
        except Exception as error:
            # Whatever is wrong with one event or with our folding of it, the others go on.
            state = msgspec.structs.replace(
                state, version=stored.originator_version, position=stored.id
            )
            said = str(error) if isinstance(error, EventSourcingError) else repr(error)
            aside = SetAside(
                stored.id,
                str(stored.originator_id),
                stored.originator_version,
                stored.topic,
                said,
                view.name,
            )
            if set_aside is not None:
                set_aside.append(aside)
    return state


def fold_sighting(
    view: View[State],
    sighting: Sighting,
    mapper: JobEventMapper,
    history: Callable[[str], Iterable[Notification]],
) -> State:
    """Return the job's present state: its row, and the events that the row has not folded yet.

    A row that cannot be read is passed over, and the job's whole history is folded.
    """
    try:
        state, tail = view.load(sighting.job_id, sighting.document), sighting.tail
    except UnreadableDocument:
        state, tail = view.load(sighting.job_id, None), [*history(sighting.job_id)]
    return fold(view, state, tail, mapper)
