"""Timeouts: no live job is given up, and no dead one stays in progress."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from domain.job.events import JobTimedOut
from tests.drill.model.senders import BY_NAME, time_at
from tests.drill.model.truth import Life
from tests.drill.oracle.heard import Heard, Moment
from tests.drill.watching import (
    DEADLINE_SECONDS,
    HOLD_SECONDS,
    IDLE_TICK_SECONDS,
    PATIENCE_SECONDS,
    Away,
)


def given_up(moment: Moment, fact: JobTimedOut, heard: Heard) -> Iterator[tuple[str, str]]:
    """No attempt is given up if a heartbeat of its run was recorded within its deadline."""
    present = heard.newest
    if present is None or heard.end_of(present) or not _tells_its_words(heard.life):
        return
    if heard.life.kind == "is re-run after another":
        return  # the re-run may count as older, and so as superseded
    for event, word in heard.of(present):
        silence = (fact.recorded_at - event.fact.recorded_at).total_seconds()
        is_heartbeat = word.callback.type == "heartbeat"
        if is_heartbeat and silence <= DEADLINE_SECONDS and moment.after.status == "failed":
            yield "a live job is given up", f"word {word.number} was recorded {silence:.0f} s ago"
            return


def given_up_late(
    moment: Moment, fact: JobTimedOut, away: Sequence[Away]
) -> Iterator[tuple[str, str]]:
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
