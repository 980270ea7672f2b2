"""Folding stored events into a view, for the projector and for reads alike."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias

from eventsourcing.persistence import MapperDeserialisationError

from domain.few_lines import FewWarnings
from domain.job.events import JobEvent
from domain.log.mapper import Decoded, JobEventMapper, decoded
from domain.log.stored import Stored
from projections.read_model.rows import SetAside
from projections.read_model.sightings import Sighting
from projections.views.view import State, UnreadableDocument, View

UNREADABLE: Final = FewWarnings(logging.getLogger("milepost.projections"), "unreadable_document")
"""A reader can cause such a line with each read of a job."""

History: TypeAlias = Callable[[str, int], Iterable[Sequence[Stored]]]
"""Reads the events of a job after a version, page by page."""


def fold(view: View[State], state: State, events: Decoded, set_aside: list[SetAside]) -> State:
    """Fold the events that come after the state; pass over and set aside what cannot be folded."""
    for stored, event in events:
        state = fold_one(view, state, stored, event, set_aside)
    return state


def fold_one(
    view: View[State],
    state: State,
    stored: Stored,
    event: JobEvent | MapperDeserialisationError,
    set_aside: list[SetAside],
) -> State:
    """Fold one event as `fold` does."""
    if stored.version <= state.version:
        return state
    if isinstance(event, MapperDeserialisationError):
        set_aside.append(_set_aside(view, stored, str(event)))
        return view.passed_over(state, stored.version, stored.position)
    try:
        return view.evolve(state, event)
    except Exception as error:
        # A bug in the fold of one event must not stop the fold of the others.
        set_aside.append(_set_aside(view, stored, repr(error)))
        return view.passed_over(state, stored.version, stored.position)


def _set_aside(view: View[State], stored: Stored, error: str) -> SetAside:
    position, job_id, version, topic, _ = stored
    return SetAside(position, str(job_id), version, topic, error, view.name)


def begin(
    view: View[State],
    job_id: str,
    document: str | None,
    mapper: JobEventMapper,
    history: History,
    set_aside: list[SetAside],
) -> State:
    """Return the state of a document; fold the whole history if the document cannot be read."""
    try:
        return view.load(job_id, document)
    except UnreadableDocument as error:
        UNREADABLE.warning("%s; folding the whole history", error)
        state = view.load(job_id, None)
        for page in history(job_id, 0):
            state = fold(view, state, decoded(page, mapper), set_aside)
        return state


def fold_sighting(
    view: View[State],
    sighting: Sighting,
    mapper: JobEventMapper,
    history: History,
    set_aside: list[SetAside],
) -> State:
    """Return a job's state: its row, and the events that the row has not folded yet."""
    job_id, document = sighting.job_id, sighting.document
    state = begin(view, job_id, document, mapper, history, set_aside)
    if sighting.tail:
        state = fold(view, state, decoded(sighting.tail, mapper), set_aside)
    if sighting.more:
        for page in history(job_id, state.version):
            state = fold(view, state, decoded(page, mapper), set_aside)
    return state
