"""Folding stored events into a view, for the projector and for reads alike."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from eventsourcing.domain import EventSourcingError
from eventsourcing.persistence import Notification

from domain.mapper import JobEventMapper
from projections.read_model import SetAside, Sighting
from projections.views import State, UnreadableDocument, View

log = logging.getLogger("milepost.projections")


def fold(
    view: View[State],
    state: State,
    events: Iterable[Notification],
    mapper: JobEventMapper,
    set_aside: list[SetAside],
) -> State:
    """Fold events that come after the state; one that cannot be is passed over and set aside."""
    for stored in events:
        if stored.originator_version <= state.version:
            continue
        try:
            state = view.evolve(state, mapper.to_domain_event(stored))
        except Exception as error:
            # Whatever is wrong with one event or with our folding of it, the others go on.
            state = view.passed_over(state, stored.originator_version, stored.id)
            set_aside.append(
                SetAside(
                    stored.id,
                    str(stored.originator_id),
                    stored.originator_version,
                    stored.topic,
                    str(error) if isinstance(error, EventSourcingError) else repr(error),
                    view.name,
                )
            )
    return state


def fold_sighting(
    view: View[State],
    sighting: Sighting,
    mapper: JobEventMapper,
    history: Callable[[str], Iterable[Notification]],
    set_aside: list[SetAside],
) -> State:
    """Return a job's state: its row, and the events that the row has not folded yet.

    In the place of a row that cannot be read, the job's whole history is folded.
    """
    try:
        state = view.load(sighting.job_id, sighting.document)
    except UnreadableDocument as error:
        log.warning("%s; folding the whole history", error)
        beginning = view.load(sighting.job_id, None)
        return fold(view, beginning, history(sighting.job_id), mapper, set_aside)
    return fold(view, state, sighting.tail, mapper, set_aside)
