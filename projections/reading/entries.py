"""The entries of the audit: each event of a job, with what it said and changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import msgspec
from eventsourcing.persistence import MapperDeserialisationError

from domain.job.events import AttemptStarted, Fact, JobEvent, Received
from domain.job.runs.fold import OfOneAttempt
from domain.log.mapper import JobEventMapper
from domain.log.stored import Stored
from projections.folding.fold import fold
from projections.read_model.rows import SetAside
from projections.views.instance import Instance
from projections.views.timeline import Timeline
from projections.views.view import Views

ENVELOPE = {
    "recorded_at",
    "occurred_at",
    "callback_id",
    "id_signed",
    "signed_by",
    "token_id",
    "digest",
    "extra",
}
"""The fields that an event has about itself; its other fields are about the job."""


DECIDED = ("attempt", "in_workflow", "other_machine")
"""Fields of a callback's fact that Milepost decided."""


class JobState(msgspec.Struct, frozen=True):
    """Both views of a job between two of its events."""

    instance: Instance
    timeline: Timeline


class Entry(msgspec.Struct, frozen=True):
    """An event, and the job before and after it.

    `fact` is None if the event cannot be read; then `raw` is its stored JSON, empty if that cannot
    be decrypted either. `error` says why an event was passed over. `attempt` is the number of the
    attempt that the event belongs to. A late callback belongs to an earlier attempt than the
    present one.
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
        """The time of recording; that of the event before, if the event cannot be read."""
        return self.fact.recorded_at if self.fact else self.before.updated_at

    @property
    def said(self) -> dict[str, Any]:
        """The event's fields about the job: known fields, then the sender's other fields."""
        if self.fact is None:
            return dict(self.raw)
        ours = DECIDED if isinstance(self.fact, Received) else ()
        known = {
            name: value
            for name in self.fact.__struct_fields__
            if name not in ENVELOPE and name not in ours
            if _says(value := getattr(self.fact, name))
        }
        return {**known, **getattr(self.fact, "extra", {})}


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A filter of events. A field without a value filters nothing; both times are inclusive."""

    kinds: Collection[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    attempt: int | None = None

    @property
    def everything(self) -> bool:
        """True when the filter admits every event."""
        return self == Wanted()

    def may_be(self, stored: Stored, event: JobEvent | MapperDeserialisationError) -> bool:
        """Tell whether the filter may admit the event. This needs no fold of the event's job."""
        if self.kinds and stored.topic not in self.kinds:
            return False
        if isinstance(event, MapperDeserialisationError):
            return True
        return self._spans(event.fact.recorded_at)

    def admits(self, entry: Entry) -> bool:
        """Tell whether the filter admits an event for which `may_be` is true."""
        return self._spans(entry.recorded_at) and self.attempt in (None, entry.attempt)

    def _spans(self, time: datetime | None) -> bool:
        return time is None or (self.since or time) <= time <= (self.until or time)


def audit(
    state: JobState,
    stored: Stored,
    event: JobEvent | MapperDeserialisationError,
    views: Views,
    mapper: JobEventMapper,
) -> tuple[Entry, JobState]:
    """Return the entry of the job's next event, and the job's state after it."""
    passed_over: list[SetAside] = []
    pair = [(stored, event)]
    after = JobState(
        fold(views.instance, state.instance, pair, passed_over),
        fold(views.timeline, state.timeline, pair, passed_over),
    )
    error = passed_over[0].error if passed_over else None
    before = state.instance
    if isinstance(event, MapperDeserialisationError):
        attempt, raw = before.attempt.number, _raw(stored, mapper)
        return Entry(stored, attempt, before, after.instance, error=error, raw=raw), after
    attempt = attempt_of(event.fact, state.timeline)
    return Entry(stored, attempt, before, after.instance, event.fact, error), after


def alone(
    stored: Stored, event: JobEvent | MapperDeserialisationError, mapper: JobEventMapper
) -> Entry:
    """Return the entry of an event whose job is not folded: its states and its attempt are empty.

    An event that the fold passes over looks as if it had been folded.
    """
    unknown = Instance(str(stored.job_id))
    if isinstance(event, MapperDeserialisationError):
        raw = _raw(stored, mapper)
        return Entry(stored, 0, unknown, unknown, error=str(event), raw=raw)
    return Entry(stored, getattr(event.fact, "attempt", 0) or 0, unknown, unknown, event.fact)


def attempt_of(fact: Fact, timeline: Timeline) -> int:
    """Return the number of the attempt that a fact belongs to, given the timeline before it."""
    match fact:
        case AttemptStarted():
            return fact.number
        case Received():
            return timeline.runs.number_of(fact)
        case _ if isinstance(fact, OfOneAttempt):
            return fact.attempt
        case _:
            return timeline.runs.present.number


def _says(value: Any) -> bool:
    return not (value is None or value is False or value == {})


def _raw(stored: Stored, mapper: JobEventMapper) -> Mapping[str, Any]:
    try:
        fields = msgspec.json.decode(mapper.unseal(stored.state))
    except Exception:  # a cipher or a compressor may raise any error
        return {}
    return fields if isinstance(fields, dict) else {}
