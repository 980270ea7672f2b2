"""What senders' clocks tell of a callback: which attempt was open then, and which clock is slow."""

from __future__ import annotations

from datetime import datetime

from domain.job.attempt.clocks import MAX_LEAD, SKEW_SECONDS
from domain.job.attempt.state import Attempt
from domain.job.runs.placing.word import Word, is_before, was_sent_before
from domain.job.runs.state import Runs

SAME_SKEW_SECONDS = 30
"""Two words whose clocks differ from ours by less than this apart come from the same clock."""


def open_at(runs: Runs, attempt: Attempt, clock: datetime) -> Attempt:
    """Return the attempt that was open at this time, looking back from `attempt`."""
    every = runs.attempts
    place = every.index(attempt)
    while place > 0:
        opened, earlier = every[place].opened_at, every[place - 1]
        if opened is None or not is_before(clock, opened):
            break
        if earlier.failure_at and is_before(earlier.failure_at, clock):
            break  # it happened between the two, so the later one began earlier than we knew
        place -= 1
    return every[place]


def ended_after(runs: Runs, word: Word) -> Attempt | None:
    """Return the attempt without a run that ended after this word, by clocks that are right."""
    clock, recorded_at = word.clock, word.fact.recorded_at
    if clock is None or (recorded_at - clock).total_seconds() > SKEW_SECONDS:
        return None  # it was late, or its clock is slow, so the run's name counts for more
    for attempt in reversed(runs.attempts):
        final = attempt.final
        if attempt.run_id or final is None or not final.unnamed:
            continue
        end = final.moment.occurred_at
        if end is None or end - final.moment.recorded_at > MAX_LEAD or not is_before(clock, end):
            continue
        if attempt.opened_at is None or not is_before(clock, attempt.opened_at):
            return attempt
    return None


def came_late(runs: Runs, attempt: Attempt, word: Word, end: datetime | None) -> bool:
    """Tell whether the word was sent before an end that was recorded before it."""
    if end is None or not was_sent_before(attempt, word, end):
        return False
    return not _was_measured(runs, word)


def fails_before_the_job(
    runs: Runs, attempt: Attempt, word: Word, registered_at: datetime | None
) -> bool:
    """Tell whether a failure is dated before the job, unlike the attempt: its clock is slow."""
    if not (word.fails and word.clock and registered_at and attempt.evidence_at):
        return False
    if registered_at - word.clock <= MAX_LEAD or registered_at - attempt.evidence_at > MAX_LEAD:
        return False
    # A job that was registered after its first callbacks is older than its registration.
    return not any(each.claim and each.claim.recorded_at < registered_at for each in runs.attempts)


def has_a_slow_clock(runs: Runs, present: Attempt, word: Word) -> bool:
    """Tell whether the word's clock is as slow as one that was measured in the job before.

    Then it was on its way for no time, and belongs to the attempt that is open now. If the word
    that opened this attempt was slow, too, their clocks agree, and their times can be compared.
    Where no run is named, times alone tell the attempts apart.
    """
    if word.clock is None or present.run_id is None:
        return False
    if present.since and present.opened_at:
        if (present.since - present.opened_at).total_seconds() > SKEW_SECONDS:
            return False
    return _was_measured(runs, word)


def _was_measured(runs: Runs, word: Word) -> bool:
    """Tell whether an earlier word of the job came from a clock that was as wrong as this one's."""
    if word.clock is None:
        return False
    skew = (word.clock - word.fact.recorded_at).total_seconds()
    return any(
        each.skew_seconds is not None and abs(each.skew_seconds - skew) < SAME_SKEW_SECONDS
        for each in runs.attempts
    )
