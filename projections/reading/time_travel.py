"""Time travel: a view of a job after one of its events, or at a time.

The state at a time is the state after the longest beginning of the job's history in which every
event was recorded by then. The fold is the projector's. It starts from the nearest snapshot that
can be read, else from the first event.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import takewhile
from typing import Final

import msgspec
from eventsourcing.persistence import MapperDeserialisationError

from domain.errors import NotFound
from domain.few_lines import FewWarnings
from domain.job.events import JobEvent
from domain.log.mapper import Decoded, JobEventMapper, decoded
from domain.log.reading.contract import NEWEST, pages_of
from projections.folding.fold import fold
from projections.read_model.contract import ReadModel
from projections.views.instance import Instance
from projections.views.view import State, UnreadableDocument, View

UNREADABLE: Final = FewWarnings(logging.getLogger("milepost.projections"), "unreadable_snapshot")


class NoSuchMoment(NotFound):
    """The job has no such moment."""


class PointInHistory(msgspec.Struct, frozen=True):
    """A point in a job's history: after its event of this version, or at this time."""

    version: int | None = None
    at: datetime | None = None


def checked(point: PointInHistory, present: Instance) -> PointInHistory:
    """Return the point if the job's history has it; else raise `NoSuchMoment` with the limits."""
    began = present.created_at
    if point.at and (began is None or point.at < began):
        when = f"at {began.isoformat()}" if began else "with an event that cannot be read"
        raise NoSuchMoment(f"The job began {when}.")
    if point.version == 0:
        when = f", at {began.isoformat()}" if began else ""
        raise NoSuchMoment(f"The job began with version 1{when}.")
    if point.version and point.version > present.version:
        raise NoSuchMoment(f"The job's newest version is {present.version}.")
    return point


def newest_of(jobs: Iterable[Instance], at: datetime) -> Instance:
    """Return the job that was registered last by that time; raise `NoSuchMoment` without one.

    It holds one of the jobs at a time.
    """
    found: tuple[datetime, int, Instance] | None = None
    first: datetime | None = None
    for job in jobs:
        if job.queued_at is None:
            continue
        first = min(first or job.queued_at, job.queued_at)
        if job.queued_at <= at:
            registered = (job.queued_at, job.first_position, job)
            found = max(found or registered, registered, key=lambda each: each[:2])
    if first is None:
        raise NoSuchMoment("When the agent's jobs were registered cannot be read.")
    if found is None:
        raise NoSuchMoment(f"The agent's first job was registered at {first.isoformat()}.")
    return found[-1]


def travel(
    view: View[State],
    job_id: str,
    point: PointInHistory,
    read_model: ReadModel,
    mapper: JobEventMapper,
) -> State:
    """Return the state of a view at that point in the job's history."""
    until = NEWEST if point.version is None else point.version
    if until == 0:
        return view.load(job_id, None)
    state = _nearest(view, job_id, until, point.at, read_model)
    for events in _after(state.version, job_id, until, read_model, mapper):
        by_then = list(takewhile(lambda event: _is_by(point.at, event[1]), events))
        # The projector logged and set aside what cannot be folded.
        state = fold(view, state, by_then, [])
        if len(by_then) < len(events):
            break
    return state


def _nearest(
    view: View[State], job_id: str, until: int, at: datetime | None, read_model: ReadModel
) -> State:
    snapshot = read_model.snapshot(view.name, job_id, until, at)
    try:
        return view.load(job_id, snapshot.document if snapshot else None)
    except UnreadableDocument as error:
        UNREADABLE.warning("%s; folding the whole history", error)
        return view.load(job_id, None)


def _after(
    version: int, job_id: str, until: int, read_model: ReadModel, mapper: JobEventMapper
) -> Iterator[Decoded]:
    for events in pages_of(read_model.log.history, job_id, version, until):
        yield decoded(events, mapper)


def _is_by(at: datetime | None, event: JobEvent | MapperDeserialisationError) -> bool:
    # An event that cannot be read has no readable time: it counts with the event before it.
    if at is None or isinstance(event, MapperDeserialisationError):
        return True
    return event.fact.recorded_at <= at
