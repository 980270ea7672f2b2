"""The oracle: what must hold for every life, whatever was lost on the way.

Claims about a moment use only the words that were recorded until then. `expected.py` says what
must be shown at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import msgspec

from domain.job.events import (
    JobEvent,
    JobTimedOut,
    MachineStopped,
    RollbackRequested,
    RollbackWithdrawn,
)
from tests.drill.model.senders import BY_NAME, time_at
from tests.drill.model.truth import Life, Run
from tests.drill.oracle.expected import end_claims, why_inexact
from tests.drill.oracle.heard import Heard, Moment
from tests.drill.oracle.orders import order_claims
from tests.drill.watching import (
    DEADLINE_SECONDS,
    HOLD_SECONDS,
    IDLE_TICK_SECONDS,
    PATIENCE_SECONDS,
    Away,
)


class Violation(msgspec.Struct, frozen=True):
    """A claim that did not hold for a life, with what was seen instead."""

    claim: str
    seed: str
    kind: str
    sender: str
    way: str
    detail: str


def judge(life: Life, history: Sequence[JobEvent], away: Sequence[Away]) -> list[Violation]:
    """Check every claim; return those that do not hold."""
    heard = Heard(life)
    found: list[tuple[str, str]] = []
    moments = list[Moment]()
    for moment in heard.moments(history):
        moments.append(moment)
        found.extend(_at(moment, heard, away))
    if moments:
        found.extend(_wanted_at_the_end(heard, history))
        found.extend(end_claims(heard, moments[-1].after))
        found.extend(order_claims(heard, moments))
    return [
        Violation(claim, life.seed, life.kind, life.sender, life.way, detail)
        for claim, detail in found
    ]


def weaker(life: Life, history: Sequence[JobEvent]) -> str | None:
    """Say why less than the exact end can be claimed of a life; None if it can."""
    heard = Heard(life)
    heard.all_of(history)
    return why_inexact(heard)


def _at(moment: Moment, heard: Heard, away: Sequence[Away]) -> Iterator[tuple[str, str]]:
    fact = moment.event.fact
    if isinstance(fact, JobTimedOut):
        yield from _given_up(moment, fact, heard)
        yield from _given_up_late(moment, fact, away)
    if isinstance(fact, RollbackRequested):
        yield from _rolled_back(moment, fact, heard)
    confirmed = isinstance(fact, MachineStopped)
    if moment.before.status == "running" != moment.after.status and not confirmed:
        yield "a real outcome is overwritten", f"{moment.after.status} at {fact}"
    yield from _taken_away(moment, heard)


def _given_up(moment: Moment, fact: JobTimedOut, heard: Heard) -> Iterator[tuple[str, str]]:
    """No attempt is given up if a heartbeat of its run was recorded within its deadline."""
    present = _newest(heard)
    if present is None or heard.end_of(present) or not _tells_its_words(heard.life):
        return
    if heard.obeyed:
        return  # a retry may wait for its run in vain
    if heard.life.kind == "is re-run after another":
        return  # the re-run may count as older, and so as superseded
    for event, word in heard.of(present):
        silence = (fact.recorded_at - event.fact.recorded_at).total_seconds()
        is_heartbeat = word.callback.type == "heartbeat"
        if is_heartbeat and silence <= DEADLINE_SECONDS and moment.after.status == "failed":
            yield "a live job is given up", f"word {word.number} was recorded {silence:.0f} s ago"
            return


def _tells_its_words(life: Life) -> bool:
    """Tell whether a recorded word says which attempt it belongs to.

    Two clocks alone do not: a word without a run belongs to the attempt that was open at its time,
    and the second host's wrong clock names another one.
    """
    sender = BY_NAME[life.sender]
    return sender.names == "all" or sender.clocks in ("none", "right")


def _given_up_late(
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


def _rolled_back(
    moment: Moment, fact: RollbackRequested, heard: Heard
) -> Iterator[tuple[str, str]]:
    """No rollback names a machine that is running, or in progress in another run.

    A run whose attempt has been given up is in progress for nobody.
    """
    failed = {each.number for each in moment.after.runs.attempts if each.status == "failed"}
    for run in heard.life.runs:
        if not heard.names(run, fact.server_id) or heard.ended_by_order(run):
            continue
        end = heard.end_of(run)
        if end == "running":
            yield "a wanted machine is rolled back", f"{fact.server_id} runs (run {run.place})"
        elif end is None and run == _newest(heard) and not heard.attempts_of(run) & failed:
            yield "a wanted machine is rolled back", f"run {run.place} works on {fact.server_id}"


def _taken_away(moment: Moment, heard: Heard) -> Iterator[tuple[str, str]]:
    """A superseded run's end takes neither the present run's place nor its machine."""
    word, life = moment.word, heard.life
    if word is None or word.callback.status != "failed" or BY_NAME[life.sender].names == "none":
        return
    newest = _newest(heard)
    if newest is None or newest.place <= word.run or newest.id == life.runs[word.run].id:
        return
    if heard.end_of(newest) or not _is_shown(moment, newest):
        return
    if moment.before.status == "provisioning" != moment.after.status:
        yield "a superseded run's end is shown", f"{moment.after.status} after {word.callback}"
    machine = moment.before.attempt.server_id
    if machine and moment.after.attempt.server_id != machine:
        yield "a superseded run takes the machine", f"{machine} became another"


def _is_shown(moment: Moment, run: Run) -> bool:
    shown = moment.before.attempt.run_id
    return shown is not None and shown.value == run.id


def _wanted_at_the_end(heard: Heard, history: Sequence[JobEvent]) -> Iterator[tuple[str, str]]:
    """No rollback of a machine that said that it runs is left standing."""
    asked: dict[int, list[str | None]] = {}
    for event in history:
        match event.fact:
            case RollbackRequested(attempt=number, server_id=server_id):
                asked.setdefault(number, []).append(server_id)
            case RollbackWithdrawn() | MachineStopped() as done if asked.get(done.attempt):
                # Without a name, it is about the machine that was asked back first.
                asked[done.attempt].remove(done.server_id or asked[done.attempt][0])
            case _:
                continue
    for server_id in chain.from_iterable(asked.values()):
        for run in heard.life.runs:
            if heard.ended_by_order(run):
                continue
            if heard.names(run, server_id) and heard.end_of(run) == "running":
                yield "a rollback is not withdrawn", f"{server_id} runs (run {run.place})"


def _newest(heard: Heard) -> Run | None:
    return next((run for run in reversed(heard.life.runs) if heard.began(run)), None)
