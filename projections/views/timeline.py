"""The timeline: each attempt's steps in order, their durations, and the silences between."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from domain.job import attempt as attempts
from domain.job.attempt import MAX_STEPS, Attempt, Timestamp
from domain.job.events import (
    AttemptStarted,
    Fact,
    JobEvent,
    JobQueued,
    JobTimedOut,
    Received,
    StepReported,
)

GAP = timedelta(seconds=120)
"""A silence longer than this is a gap: a heartbeat comes every 60 s, so two are missing."""
MAX_GAPS = 100
MAX_CHAPTERS = 50
"""The most attempts in a timeline, the newest ones; the events have them all."""


class Gap(msgspec.Struct, frozen=True, gc=False):
    """A silence, by the server's clock."""

    since: datetime
    until: datetime


class Chapter(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One attempt. `late` holds steps that were first reported after its end."""

    attempt: Attempt = Attempt()
    last_contact: datetime | None = None
    gaps: tuple[Gap, ...] = ()
    late: dict[str, Timestamp] = {}


class Timeline(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """All attempts of a job, the first one first."""

    job_id: str
    version: int = 0
    position: int = 0
    agent_id: str | None = None
    user_id: str | None = None
    workflow: str | None = None
    queued_at: datetime | None = None
    chapters: tuple[Chapter, ...] = (Chapter(),)


def passed_over(timeline: Timeline, version: int, position: int) -> Timeline:
    """Count an event that cannot be read or folded, and change nothing else."""
    return msgspec.structs.replace(timeline, version=version, position=position)


def evolve(timeline: Timeline, event: JobEvent) -> Timeline:
    """Fold one event; every event moves version and position on."""
    return msgspec.structs.replace(
        timeline,
        version=event.originator_version,
        position=event.position,
        **_changes(timeline, event.fact),
    )


def _changes(timeline: Timeline, fact: Fact) -> dict[str, Any]:
    """Return what a fact changes; a callback that an earlier attempt sent goes to that attempt."""
    chapters = timeline.chapters
    match fact:
        case Received():
            index = chapter_of(timeline, fact)
            continued = _continued(chapters[index], fact)
            return {"chapters": (*chapters[:index], continued, *chapters[index + 1 :])}
        case JobQueued() if timeline.queued_at is None:
            return {
                "agent_id": fact.agent_id,
                "user_id": fact.user_id,
                "workflow": fact.workflow,
                "queued_at": fact.recorded_at,
            }
        case AttemptStarted() if fact.number > chapters[-1].attempt.number:
            attempt = attempts.next_attempt(chapters[-1].attempt, fact)
            started = Chapter(attempt, fact.recorded_at)
            return {"chapters": (*chapters[-MAX_CHAPTERS + 1 :], started)}
        case JobTimedOut():
            *earlier, latest = chapters
            gap = Gap(fact.silent_since, fact.recorded_at)
            attempt = attempts.evolve(latest.attempt, fact)
            ended = msgspec.structs.replace(latest, attempt=attempt, gaps=_added(latest, gap))
            return {"chapters": (*earlier, ended)}
        case _:
            return {}


def chapter_of(timeline: Timeline, fact: Received) -> int:
    """Return the index of the chapter that a callback belongs to."""
    index = len(timeline.chapters) - 1
    while index > 0 and timeline.chapters[index].attempt.precedes(fact):
        index -= 1
    return index


def _continued(chapter: Chapter, fact: Received) -> Chapter:
    attempt = attempts.evolve(chapter.attempt, fact)
    gaps, late = chapter.gaps, chapter.late
    if chapter.attempt.final is None:
        since = chapter.last_contact
        if since and fact.recorded_at - since > GAP:
            gaps = _added(chapter, Gap(since, fact.recorded_at))
    if isinstance(fact, StepReported) and len(late) < MAX_STEPS:
        if fact.step not in attempt.steps and fact.step not in late:
            late = late | {fact.step: Timestamp(fact.recorded_at, fact.occurred_at)}
    return Chapter(attempt, fact.recorded_at, gaps, late)


def _added(chapter: Chapter, gap: Gap) -> tuple[Gap, ...]:
    return (*chapter.gaps[-MAX_GAPS + 1 :], gap)
