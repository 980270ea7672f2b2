"""Timeouts: no live job is given up, and no dead one stays in progress."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from domain.job.attempt.state import Attempt
from domain.job.events import JobEvent, JobTimedOut
from tests.drill.model.senders import BY_NAME, time_at
from tests.drill.model.truth import Life, Word
from tests.drill.oracle.expected import Claim, names_apart
from tests.drill.oracle.heard import Heard, Moment
from tests.drill.watching import (
    DEADLINE_SECONDS,
    HOLD_SECONDS,
    IDLE_TICK_SECONDS,
    PATIENCE_SECONDS,
    Away,
)

LIVE = "a live job is given up"


def given_up(moment: Moment, fact: JobTimedOut, heard: Heard) -> Iterator[Claim]:
    """Neither an attempt nor a job is given up within the deadline of its heartbeat.

    A heartbeat is its attempt's: a superseded run is given up though another one is alive. A job is
    its newest run's. A timeout of a job that has failed already, because an end was reported or an
    earlier timeout stands, does not give the job up.
    """
    in_time = [
        (event, word)
        for event, word in heard.words
        if word.callback.type == "heartbeat" and _seconds(event, fact) <= DEADLINE_SECONDS
    ]
    for event, word in in_time:
        if Heard.attempt_of(event) == fact.attempt:
            yield LIVE, f"word {word.number} was recorded {_seconds(event, fact):.0f} s ago"
            return
    was_in_progress = moment.before.status in ("pending", "provisioning")
    if not was_in_progress or moment.after.status != "failed":
        return
    present = heard.newest
    if present is None or heard.end_of(present) or not _tells_its_words(heard.life):
        return
    if heard.obeyed:
        return  # a retry may wait for its run in vain
    if heard.life.kind == "is re-run after another":
        return  # the re-run may count as older, and so as superseded
    if any(
        word.run > present.place and Heard.attempt_of(event) == fact.attempt
        for event, word in heard.words
    ):
        return  # a heartbeat began a newer run while the present one counted as given up
    for event, word in in_time:
        if word.run == present.place:
            yield LIVE, f"word {word.number} was recorded {_seconds(event, fact):.0f} s ago"
            return


def stays_given_up(moment: Moment, heard: Heard) -> Iterator[Claim]:
    """A timeout is taken back by a heartbeat of its run that was sent after it.

    A heartbeat that is dated before the timeout is no evidence, even if a slow clock says so. A
    re-run of an older id may count as superseded.
    """
    word, life = moment.word, heard.life
    if word is None or word.callback.type != "heartbeat" or life.kind == "is re-run after another":
        return
    shown = moment.before.attempt
    if shown.final is None or not shown.final.inferred or not _is_run_of(shown, word, life):
        return
    if shown.stopped_at:
        return  # once its machine is gone, nothing takes a timeout back
    timed_out = shown.final.moment.recorded_at
    said = word.callback.occurred_at
    if time_at(word.sent) <= timed_out or (said and said <= timed_out):
        return
    if moment.after.status == "failed":
        yield "a live job stays given up", f"word {word.number}, after {shown.final}"


def _is_run_of(attempt: Attempt, word: Word, life: Life) -> bool:
    """Tell whether a word surely is of the attempt's run, because all words name their runs."""
    sender, run = BY_NAME[life.sender], life.runs[word.run]
    return (
        sender.names == "all"
        and names_apart(sender, life)
        and attempt.run_id is not None
        and attempt.run_id.value == run.id
        and attempt.run_attempt in (None, run.attempt)
    )


def _seconds(event: JobEvent, fact: JobTimedOut) -> float:
    return (fact.recorded_at - event.fact.recorded_at).total_seconds()


def given_up_late(moment: Moment, fact: JobTimedOut, away: Sequence[Away]) -> Iterator[Claim]:
    """No dead job stays in progress past its deadline, but for the time that we were away."""
    given_up = moment.before.runs.find(fact.attempt)
    if given_up and moment.before.runs.is_superseded(given_up):
        return  # the job is in progress, or has ended, with another run; this one waited its turn
    due = fact.due_at or fact.recorded_at
    late = (fact.recorded_at - due).total_seconds()
    # A hold lets the start of a job wait, too, though only silent jobs say so.
    waited = fact.held or fact.deadline == "start"
    allowed = 3 * IDLE_TICK_SECONDS + PATIENCE_SECONDS + (HOLD_SECONDS if waited else 0)
    for each in away:
        begins, ends = time_at(each.begins), time_at(each.ends)
        if begins < fact.recorded_at and ends > fact.silent_since:
            allowed += (ends - begins).total_seconds() + PATIENCE_SECONDS
    if late > allowed:
        yield "a dead job stays in progress", f"{late:.0f} s past its deadline"


def _tells_its_words(life: Life) -> bool:
    """Tell whether a recorded word says which attempt it belongs to.

    Two clocks alone do not: a word without a run belongs to the attempt that was open at its time,
    and the second host's wrong clock names another one.
    """
    sender = BY_NAME[life.sender]
    return sender.names == "all" or sender.clocks in ("none", "right")
