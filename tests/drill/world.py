"""Plays lives on the real code, with the clock that the deployment was made with."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from heapq import merge

from domain.errors import JobNotFound, NotPossible
from domain.job.commands.registration import QueueJob
from domain.job.events import JobEvent
from tests.drill.model.senders import time_at
from tests.drill.model.truth import Life, Order, Word
from tests.drill.watching import (
    DEADLINE_SECONDS,
    HOLD_SECONDS,
    IDLE_TICK_SECONDS,
    START_SECONDS,
    TICK_SECONDS,
    Away,
    Watching,
)
from tests.support.stores.deployment import Deployment

Happening = tuple[float, int, Life | None, Word | Order | None]
"""When, and what: a word of a life arrives, somebody orders something about it, it is registered
(nothing), or a tick (no life)."""
ORDERED = 1_000_000
"""The place of orders among what happens at the same time: after all words."""
REASON = "because of the drill"
STALE_SHARE = 0.002
"""How often an arriving word goes with a judgement that a watch with stale rows asks for."""


def play(made: Deployment, lives: Sequence[Life], away: Sequence[Away]) -> None:
    """Let everything happen in the order of arrival, until no deadline is left."""
    watching = Watching(made)
    for time, _, life, word in happenings(lives, away):
        made.clock.advance((time_at(time) - made.clock.now).total_seconds())
        absent = _absent(away, time)
        if life is None:
            watching.look(absent)
        elif isinstance(word, Order):
            if absent is None or not absent.is_deaf:
                _order(made, life, word)
        elif word is None:
            made.milepost.queue(
                QueueJob(
                    job_id=life.job_id,
                    agent_id=f"agent/{life.seed}",
                    user_id=f"user/{life.seed}",
                    workflow="vm@1",
                )
            )
        elif absent is None or not absent.is_deaf:
            made.milepost.record(word.callback)
            if random.Random(f"{life.seed}/{word.number}/{time}").random() < STALE_SHARE:
                watching.ask(life.job_id)


def _order(made: Deployment, life: Life, order: Order) -> None:
    """Give an order; it is refused where the job's state does not allow it, or nobody knows it."""
    with suppress(NotPossible, JobNotFound):
        made.milepost.order(order.command, life.job_id, requested_by="ops", reason=REASON)


def happenings(lives: Sequence[Life], away: Sequence[Away]) -> Iterator[Happening]:
    """Return all that happens, in order."""
    said: list[Happening] = []
    for life in lives:
        if life.registered is not None:
            said.append((life.registered, -1, life, None))
        for word in life.words:
            said.extend((time, word.number, life, word) for time in word.arrives)
        said.extend((order.at, ORDERED, life, order) for order in life.orders)
    said.sort(key=lambda happening: happening[:2])
    heard = max(life.last_arrival for life in lives)
    ordered = (order.at for life in lives for order in life.orders)
    waited = max([*ordered, *(life.registered or 0.0 for life in lives)]) + START_SECONDS
    gone = max((each.ends for each in away), default=0.0)
    # Several patiences may follow one another, and one hold.
    end = max(heard + DEADLINE_SECONDS, waited, gone) + 2 * DEADLINE_SECONDS + HOLD_SECONDS
    return merge(said, _ticks(heard, end), key=lambda happening: happening[:2])


def _ticks(heard: float, last: float) -> Iterator[Happening]:
    time = 0.0
    while time < last:
        time += TICK_SECONDS if time < heard else IDLE_TICK_SECONDS
        yield time, -2, None, None


def _absent(away: Sequence[Away], time: float) -> Away | None:
    return next((each for each in away if each.begins <= time < each.ends), None)


def history_of(made: Deployment, life: Life) -> list[JobEvent]:
    """Return all events of a life's job."""
    stored = made.read_model.log.history(life.job_id)
    return [made.milepost.mapper.read(each) for each in stored]
