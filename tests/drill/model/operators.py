"""Operators: what people order about a job while its runs go on, at any time."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec

from tests.drill.model.truth import Order, Run
from tests.support.jobs.orders import COMMANDS

SHARE = 0.15
"""The share of jobs about which somebody orders something."""
PAUSE_SECONDS = 900.0
"""Within how many seconds the next order follows, and the first one after the last run."""


def orders_of(seed: str, start: float, runs: Sequence[Run]) -> tuple[Order, ...]:
    """Make up the orders about the job of a seed; most jobs have none.

    They have a chance of their own, so that a life is the same with and without them.
    """
    chance = random.Random(f"orders/{seed}")
    if chance.random() >= SHARE:
        return ()
    first, last = start, max((run.ends for run in runs), default=start)
    time = chance.uniform(first, last + PAUSE_SECONDS)
    orders = []
    for _ in range(chance.choice((1, 1, 2, 3))):
        orders.append(Order(at=time, command=chance.choice(COMMANDS)))
        time += chance.uniform(5, PAUSE_SECONDS)
    return tuple(orders)


def ended_by(orders: Sequence[Order], runs: Sequence[Run], seed: str) -> list[Run]:
    """Return the runs as people leave them, who may cancel a run where it runs, too.

    It then fails soon after the order. Otherwise it goes on as if nobody had ordered anything.
    """
    chance = random.Random(f"cancelled/{seed}")
    after = list(runs)
    for order in orders:
        for place, run in enumerate(after):
            if order.command in ("fail", "cancel") and run.begins < order.at < run.ends:
                if chance.random() < 0.5:
                    ends, reached = order.at + chance.uniform(2, 60), run.from_step + 1
                    after[place] = msgspec.structs.replace(
                        run, ends=ends, end="failed", steps=min(run.steps, reached)
                    )
    return after
