"""The timeline: each attempt's steps in order, their durations, and the silences between."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from domain.job.attempt.clocks import Timestamp
from domain.job.attempt.state import Attempt
from domain.job.events import (
    AttemptCancelled,
    AttemptFailed,
    AttemptStarted,
    Fact,
    JobEvent,
    JobQueued,
    JobTimedOut,
    Received,
    StepReported,
)
from domain.job.runs import fold as runs_of_a_job
from domain.job.runs.state import Runs
from projections.views.shown_times import earliest

GAP = timedelta(seconds=120)
"""A silence longer than this is a gap: a heartbeat comes every 60 s, so two are missing."""
MAX_GAPS = 100
"""An attempt shows at most this many silences, the newest ones."""
MAX_ALL_GAPS = 1_000
"""A timeline holds at most this many silences; the first attempts lose theirs first."""
MAX_LATE = 200
"""A timeline holds at most this many steps that were first reported after an attempt's end."""


class Gap(msgspec.Struct, frozen=True, gc=False):
    """A silence, by the server's clock."""

    since: datetime
    until: datetime


class Chapter(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What the timeline adds to an attempt. `late` holds steps first reported after its end."""

    last_contact: datetime | None = None
    gaps: tuple[Gap, ...] = ()
    late: dict[str, Timestamp] = {}


class Timeline(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """All attempts of a job, the oldest run's first, and a chapter for each, by its number."""

    job_id: str
    version: int = 0
    position: int = 0
    agent_id: str | None = None
    user_id: str | None = None
    workflow: str | None = None
    queued_at: datetime | None = None
    created_at: datetime | None = None
    runs: Runs = Runs()
    chapters: dict[int, Chapter] = {}

    @property
    def floor(self) -> datetime | None:
        """The earliest time that anything of the job is shown with."""
        return earliest(self.created_at, self.queued_at)

    @property
    def attempts_left_out(self) -> int:
        """How many attempts the job had that its state does not hold; the events have them."""
        return self.runs.opened - len(self.runs.attempts)

    @property
    def story(self) -> list[tuple[Attempt, Chapter]]:
        """Each attempt with its chapter, the oldest run's first."""
        every = self.runs.attempts
        return [(attempt, self.chapters.get(attempt.number, EMPTY)) for attempt in every]


EMPTY = Chapter()


def passed_over(timeline: Timeline, version: int, position: int) -> Timeline:
    """Count an event that cannot be read or folded, and change nothing else."""
    return msgspec.structs.replace(timeline, version=version, position=position)


def evolve(timeline: Timeline, event: JobEvent) -> Timeline:
    """Fold one event; every event moves version and position on."""
    fact, runs, chapters = event.fact, timeline.runs, timeline.chapters
    if isinstance(fact, JobQueued):
        timeline = _queued(timeline, fact)
    else:
        runs = runs_of_a_job.evolve(runs, fact)
        chapters = _chapters(timeline, runs, fact)
        if len(chapters) > MAX_ALL_GAPS // MAX_GAPS:
            chapters = _with_fewer_gaps(chapters)
        if len(chapters) > len(runs.attempts) or len(runs.attempts) < len(timeline.runs.attempts):
            remembered = {attempt.number for attempt in runs.attempts}
            chapters = {number: each for number, each in chapters.items() if number in remembered}
    # By position, because `msgspec.structs.replace` takes three times as long.
    return Timeline(
        timeline.job_id,
        event.originator_version,
        event.position,
        timeline.agent_id,
        timeline.user_id,
        timeline.workflow,
        timeline.queued_at,
        timeline.created_at or fact.recorded_at,
        runs,
        chapters,
    )


def _queued(timeline: Timeline, fact: JobQueued) -> Timeline:
    if timeline.queued_at is not None:
        return timeline
    return msgspec.structs.replace(
        timeline,
        agent_id=fact.agent_id,
        user_id=fact.user_id,
        workflow=fact.workflow,
        queued_at=fact.recorded_at,
    )


def _chapters(timeline: Timeline, runs: Runs, fact: Fact) -> dict[int, Chapter]:
    chapters = timeline.chapters
    if isinstance(fact, Received):
        number = timeline.runs.number_of(fact)
        before, after = timeline.runs.find(number), runs.find(number)
        if before and after:
            chapter = chapters.get(number, EMPTY)
            continued = _continued(chapter, before, fact)
            if isinstance(fact, StepReported) and fact.step not in after.steps:
                continued = _with_late(continued, after, fact, chapters)
            return {**chapters, number: continued}
    elif isinstance(fact, AttemptStarted):
        if fact.number > timeline.runs.opened:
            return {**chapters, fact.number: Chapter(fact.recorded_at)}
    elif isinstance(fact, JobTimedOut):
        if timeline.runs.find(fact.attempt):
            chapter = chapters.get(fact.attempt, EMPTY)
            gap = Gap(fact.silent_since, fact.recorded_at)
            ended = msgspec.structs.replace(chapter, gaps=_added(chapter, gap))
            return {**chapters, fact.attempt: ended}
    elif isinstance(fact, AttemptFailed | AttemptCancelled):
        before = timeline.runs.find(fact.attempt)
        if before and (before.final is None or before.final.inferred):
            chapter = chapters.get(fact.attempt, EMPTY)
            ended = msgspec.structs.replace(chapter, gaps=_until_order(chapter, before, fact))
            return {**chapters, fact.attempt: ended}
    return chapters


def _until_order(
    chapter: Chapter, before: Attempt, fact: AttemptFailed | AttemptCancelled
) -> tuple[Gap, ...]:
    """Return the gaps with the silence before an operator's end, if the workflow had begun."""
    since, last = chapter.last_contact, chapter.gaps[-1] if chapter.gaps else None
    if before.final and last and last.until == before.final.moment.recorded_at:
        if since is None or since <= last.until:
            # The silence that timed out went on until the order: it is one gap.
            until = max(last.until, fact.recorded_at)
            return (*chapter.gaps[:-1], Gap(since or last.since, until))
    if before.claim and since and fact.recorded_at - since > GAP:
        return _added(chapter, Gap(since, fact.recorded_at))
    return chapter.gaps


def _continued(chapter: Chapter, before: Attempt, fact: Received) -> Chapter:
    gaps = chapter.gaps
    if before.final is None:
        since = chapter.last_contact
        if since and fact.recorded_at - since > GAP:
            gaps = _added(chapter, Gap(since, fact.recorded_at))
    return Chapter(fact.recorded_at, gaps, chapter.late)


def _with_late(
    chapter: Chapter, attempt: Attempt, fact: StepReported, chapters: Mapping[int, Chapter]
) -> Chapter:
    # A step that the state had no room for may have been reached in time.
    if fact.step in chapter.late or attempt.steps_left_out:
        return chapter
    if sum(len(each.late) for each in chapters.values()) >= MAX_LATE:
        return chapter
    late = chapter.late | {fact.step: Timestamp(fact.recorded_at, fact.occurred_at)}
    return Chapter(chapter.last_contact, chapter.gaps, late)


def _with_fewer_gaps(chapters: dict[int, Chapter]) -> dict[int, Chapter]:
    too_many = sum(len(chapter.gaps) for chapter in chapters.values()) - MAX_ALL_GAPS
    for number in sorted(chapters) if too_many > 0 else ():
        gaps = chapters[number].gaps
        fewer = msgspec.structs.replace(chapters[number], gaps=gaps[too_many:])
        chapters, too_many = {**chapters, number: fewer}, too_many - len(gaps)
        if too_many <= 0:
            break
    return chapters


def _added(chapter: Chapter, gap: Gap) -> tuple[Gap, ...]:
    return (*chapter.gaps[-MAX_GAPS + 1 :], gap)
