"""One life again: its story, and the smallest part of its words that breaks the same claim."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from domain.job.events import Fact, JobEvent, Received
from domain.workflows.definition import Workflows
from tests.drill.model.truth import Life
from tests.drill.oracle.claims import judge, weaker
from tests.drill.oracle.heard import Heard
from tests.drill.shifts import IN_MEMORY
from tests.drill.watching import Away
from tests.drill.world import history_of, play
from tests.support.stores.deployment import NOON, Clock, Deployment


def played(life: Life, away: Sequence[Away], workflows: Workflows) -> Sequence[JobEvent]:
    """Play one life in memory; return its job's events."""
    made = Deployment(IN_MEMORY, workflows, Clock())
    try:
        play(made, [life], away)
        return history_of(made, life)
    finally:
        made.close()


def claims_broken(life: Life, away: Sequence[Away], workflows: Workflows) -> set[str]:
    """Play one life in memory; return the claims that do not hold."""
    return {each.claim for each in judge(life, played(life, away, workflows), away)}


def smallest(
    life: Life, away: Sequence[Away], claim: str, workflows: Workflows
) -> tuple[Life, Sequence[Away]]:
    """Leave out absences, then words, as long as the same claim is broken."""
    for each in list(away):
        fewer = [other for other in away if other is not each]
        if claim in claims_broken(life, fewer, workflows):
            away = fewer
    shrinking = True
    while shrinking:
        shrinking = False
        for word in life.words:
            for arrival in word.arrives:
                less = _without(life, word.number, arrival)
                if claim in claims_broken(less, away, workflows):
                    life, shrinking = less, True
                    break
    return life, away


def _without(life: Life, number: int, arrival: float) -> Life:
    words = []
    for word in life.words:
        if word.number == number:
            arrives = tuple(time for time in word.arrives if time != arrival)
            word = msgspec.structs.replace(word, arrives=arrives)
        words.append(word)
    return msgspec.structs.replace(life, words=tuple(words))


def story(life: Life, away: Sequence[Away], history: Sequence[JobEvent]) -> Iterator[str]:
    """Tell a life: its runs, then each event with the time, the word and what was shown then."""
    yield f"{life.seed}: {life.kind}; sender: {life.sender}; way: {life.way}"
    for run in life.runs:
        machine = run.machine.id if run.names_machine else "a machine without a name"
        yield (
            f"  run {run.place}: id {run.id}, attempt {run.attempt}, from {run.begins:.0f} s"
            f" to {run.ends:.0f} s, {run.end}, {machine}"
        )
    for each in away:
        yield f"  {each.how} from {each.begins:.0f} s to {each.ends:.0f} s"
    for moment in Heard(life).moments(history):
        fact = moment.event.fact
        time = (fact.recorded_at - NOON).total_seconds()
        said = f"run {moment.word.run}" if moment.word else "decided"
        attempt = moment.after.attempt
        machine = attempt.server_id.value if attempt.server_id else "-"
        yield (
            f"  {time:8.1f} s  {said:8} {_told(fact)}"
            f"  → {moment.after.status}, attempt {attempt.number}, {machine}"
        )
    if reason := weaker(life, history):
        yield f"  Less can be claimed: {reason}."
    for violation in judge(life, history, away):
        yield f"  BROKEN: {violation.claim}: {violation.detail}"


def _told(fact: Fact) -> str:
    shown = {
        name: value
        for name, value in msgspec.to_builtins(fact).items()
        if name not in ("recorded_at", "extra", "callback_id", "digest")
    }
    kind = type(fact).__name__
    if isinstance(fact, Received) and fact.occurred_at:
        shown["occurred_at"] = f"{(fact.occurred_at - NOON).total_seconds():.0f} s"
    return f"{kind} {shown}"
