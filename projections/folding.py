"""Folding stored events into a view, for the projector and for reads alike."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from eventsourcing.domain import EventSourcingError
from eventsourcing.persistence import Notification

from domain.mapper import JobEventMapper
from projections.read_model import SetAside, Sighting
from projections.views import State, View


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
            if set_aside is not None:
                set_aside.append(
                    SetAside(
                        stored.id,
                        str(stored.originator_id),
                        stored.originator_version,
                        stored.topic,
                        str(error) if isinstance(error, EventSourcingError) else repr(error),
                    )
                )
    return state


def fold_sighting(view: View[State], sighting: Sighting, mapper: JobEventMapper) -> State:
    """Return the job's present state: its row, and the events that the row has not folded yet."""
    return fold(view, view.load(sighting.job_id, sighting.document), sighting.tail, mapper)
