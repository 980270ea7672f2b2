"""The oracle: what must hold for every life, whatever was lost on the way.

Claims about a moment use only the words that were recorded until then. `given_up.py` judges
timeouts, `rolled_back.py` rollbacks, `orders.py` what people ordered; `expected.py` says what must
be shown at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from domain.job.events import JobEvent, JobTimedOut, MachineStopped, RollbackRequested
from tests.drill.model.senders import BY_NAME
from tests.drill.model.truth import Life, Run
from tests.drill.oracle.expected import end_claims, why_inexact
from tests.drill.oracle.given_up import given_up, given_up_late, stays_given_up
from tests.drill.oracle.heard import Heard, Moment
from tests.drill.oracle.orders import order_claims
from tests.drill.oracle.rolled_back import at_the_end, rolled_back
from tests.drill.watching import Away


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
        found.extend(at_the_end(heard, history))
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
        yield from given_up(moment, fact, heard)
        yield from given_up_late(moment, fact, away)
    if isinstance(fact, RollbackRequested):
        yield from rolled_back(moment, fact, heard)
    confirmed = isinstance(fact, MachineStopped) or (
        moment.word is not None and moment.word.callback.status == "stopped"
    )
    if moment.before.status == "running" != moment.after.status and not confirmed:
        yield "a real outcome is overwritten", f"{moment.after.status} at {fact}"
    yield from stays_given_up(moment, heard)
    yield from _taken_away(moment, heard)


def _taken_away(moment: Moment, heard: Heard) -> Iterator[tuple[str, str]]:
    """A superseded run's end takes neither the present run's place nor its machine."""
    word, life = moment.word, heard.life
    if word is None or word.callback.status != "failed" or BY_NAME[life.sender].names == "none":
        return
    newest = heard.newest
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
