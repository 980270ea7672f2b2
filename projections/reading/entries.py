"""The audit: each event of a job, what it said, and what it changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import msgspec
from eventsourcing.persistence import MapperDeserialisationError

from domain.job.events import (
    AttemptStarted,
    Fact,
    JobEvent,
    JobTimedOut,
    Received,
    RollbackRequested,
    RollbackWithdrawn,
)
from domain.log.mapper import JobEventMapper
from domain.log.stored import Stored
from projections.folding.fold import fold
from projections.read_model.contract import SetAside
from projections.views.instance import Instance
from projections.views.timeline import Timeline, chapter_of
from projections.views.view import Views

ENVELOPE = {"recorded_at", "occurred_at", "callback_id", "signed_by", "digest", "extra"}
"""What an event says of itself; the rest is what it says of the job."""


class Standing(msgspec.Struct, frozen=True):
    """A job between two of its events: the present attempt, and every one so far."""

    instance: Instance
    timeline: Timeline


class Entry(msgspec.Struct, frozen=True):
    """An event, and the job before and after it.

    Of an event that cannot be read there is no `fact`; `raw` is what is stored, if that can be
    seen. `error` says why an event was passed over. `attempt` is the one that it belongs to, which
    for a late callback is an earlier one than the job's.
    """

    stored: Stored
    attempt: int
    before: Instance
    after: Instance
    fact: Fact | None = None
    error: str | None = None
    raw: Mapping[str, Any] = {}

    @property
    def recorded_at(self) -> datetime | None:
        """When it was recorded; of one that does not say it, when the one before it was."""
        return self.fact.recorded_at if self.fact else self.before.updated_at

    @property
    def said(self) -> dict[str, Any]:
        """What it says of the job: its known fields, then those that only the sender knew."""
        if self.fact is None:
            return dict(self.raw)
        known = {
            name: value
            for name in self.fact.__struct_fields__
            if name not in ENVELOPE and (value := getattr(self.fact, name)) is not None
        }
        return {**known, **getattr(self.fact, "extra", {})}


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which events to show; what is not given does not filter. Both times are included."""

    kinds: Collection[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    attempt: int | None = None

    @property
    def everything(self) -> bool:
        """True when nothing is filtered out."""
        return self == Wanted()

    def may_be(self, stored: Stored, event: JobEvent | MapperDeserialisationError) -> bool:
        """Tell whether the event passes as far as can be told without folding its job."""
        if self.kinds and stored.topic not in self.kinds:
            return False
        if isinstance(event, MapperDeserialisationError):
            return True
        return self._spans(event.fact.recorded_at)

    def admits(self, entry: Entry) -> bool:
        """Tell whether an event that may be shown is to be."""
        return self._spans(entry.recorded_at) and self.attempt in (None, entry.attempt)

    def _spans(self, moment: datetime | None) -> bool:
        return moment is None or (self.since or moment) <= moment <= (self.until or moment)


def audit(
    standing: Standing,
    stored: Stored,
    event: JobEvent | MapperDeserialisationError,
    views: Views,
    mapper: JobEventMapper,
) -> tuple[Entry, Standing]:
    """Return what the job's next event did, and how the job stands after it."""
    passed_over: list[SetAside] = []
    pair = [(stored, event)]
    after = Standing(
        fold(views.instance, standing.instance, pair, passed_over),
        fold(views.timeline, standing.timeline, pair, passed_over),
    )
    error = passed_over[0].error if passed_over else None
    before = standing.instance
    if isinstance(event, MapperDeserialisationError):
        attempt, raw = before.attempt.number, _raw(stored, mapper)
        return Entry(stored, attempt, before, after.instance, error=error, raw=raw), after
    attempt = attempt_of(event.fact, standing.timeline)
    return Entry(stored, attempt, before, after.instance, event.fact, error), after


def attempt_of(fact: Fact, timeline: Timeline) -> int:
    """Return the number of the attempt that a fact belongs to, given all before it."""
    match fact:
        case AttemptStarted():
            return fact.number
        case JobTimedOut() | RollbackRequested() | RollbackWithdrawn():
            return fact.attempt
        case Received():
            return timeline.chapters[chapter_of(timeline, fact)].attempt.number
        case _:
            return timeline.chapters[-1].attempt.number


def _raw(stored: Stored, mapper: JobEventMapper) -> Mapping[str, Any]:
    try:
        found = msgspec.json.decode(mapper.unseal(stored.state))
    except Exception:  # a cipher or a compressor may raise what it likes
        return {}
    return found if isinstance(found, dict) else {}
