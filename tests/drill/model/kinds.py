"""Kinds of lives: which runs a job really has, and how each of them ends."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

import msgspec

from tests.drill.model.operators import ended_by, orders_of
from tests.drill.model.senders import SENDERS, words_of
from tests.drill.model.truth import End, Life, Machine, Run
from tests.drill.model.ways import WAYS, sent_over

Kind = Callable[[random.Random, float], list[Run]]
"""Makes the runs of a job whose first run is dispatched at that time."""


def life_of(seed: str, start: float) -> Life:
    """Make up the life that belongs to a seed; the same seed and start give the same life."""
    chance = random.Random(seed)
    name = chance.choices(list(KINDS), [share for share, _ in KINDS.values()])[0]
    sender = chance.choices(SENDERS, [each.share for each in SENDERS])[0]
    way = chance.choices(WAYS, [each.share for each in WAYS])[0]
    runs = KINDS[name][1](chance, start + 5 + chance.random() * 60)
    orders = orders_of(seed, start, runs)
    runs = ended_by(orders, runs, seed)
    words = words_of(sender, f"job/{seed}", runs, chance)
    return Life(
        seed=seed,
        kind=name,
        sender=sender.name,
        way=way.name,
        runs=tuple(runs),
        words=sent_over(way, words, chance),
        registered=start if chance.random() < 0.85 else None,
        orders=orders,
    )


def _first(chance: random.Random, begins: float, end: End) -> Run:
    place = 0
    run = Run(
        place=place,
        id=str(1000 + chance.randint(0, 9)),
        attempt=1,
        begins=begins,
        ends=begins + chance.uniform(120, 1500),
        end=end,
        machine=Machine("srv-0"),
        names_machine=chance.random() < 0.8,
        beats=chance.random() < 0.9,
    )
    return _cut(chance, run)


def _cut(chance: random.Random, run: Run) -> Run:
    """A run that does not end `running` reaches only some of its steps."""
    if run.end == "running":
        return run
    return msgspec.structs.replace(run, steps=chance.randint(run.from_step, 4))


def _dispatched(chance: random.Random, before: Run, begins: float, end: End) -> Run:
    """Return another run, with an id of its own and a machine of its own."""
    run = msgspec.structs.replace(
        _first(chance, begins, end),
        place=before.place + 1,
        id=str(int(before.id) + chance.randint(1, 50)),
        machine=Machine(f"srv-{before.place + 1}"),
        names_machine=before.names_machine,
    )
    if chance.random() < 0.2:
        run = msgspec.structs.replace(run, machine=before.machine)
    return run


def _re_run(chance: random.Random, before: Run, begins: float, end: End, *, partly: bool) -> Run:
    """Return a re-run: the same id, the next attempt, and perhaps only the failed part."""
    run = _dispatched(chance, before, begins, end)
    from_step = min(before.steps, 3) if partly else 0
    run = msgspec.structs.replace(
        run,
        id=before.id,
        attempt=before.attempt + 1,
        announces=not partly,
        from_step=from_step,
        steps=4,
        machine=before.machine if partly and before.steps else run.machine,
    )
    return _cut(chance, run)


def _ending(chance: random.Random) -> End:
    return chance.choices(("running", "failed", "killed"), (6, 3, 1))[0]


def _pause(chance: random.Random) -> float:
    return chance.choice((20.0, 120.0, 1200.0))


def _succeeds(chance: random.Random, begins: float) -> list[Run]:
    return [_first(chance, begins, "running")]


def _fails(chance: random.Random, begins: float) -> list[Run]:
    return [_first(chance, begins, "failed")]


def _is_killed(chance: random.Random, begins: float) -> list[Run]:
    return [_first(chance, begins, "killed")]


def _never_starts(_: random.Random, __: float) -> list[Run]:
    return []


def _fails_at_once(chance: random.Random, begins: float) -> list[Run]:
    """Return a failure before the first word, as four steps of the seed's CI can, and a re-run."""
    run = _first(chance, begins, "failed")
    run = msgspec.structs.replace(run, announces=False, steps=0, beats=False)
    run = msgspec.structs.replace(run, ends=begins + 30, knows_itself=chance.random() < 0.5)
    again = _re_run(chance, run, run.ends + _pause(chance), _ending(chance), partly=False)
    return [run, again]


def _is_tried_again(chance: random.Random, begins: float) -> list[Run]:
    runs = [_first(chance, begins, chance.choice(("failed", "failed", "killed")))]
    for _ in range(chance.choice((1, 1, 2))):
        start = runs[-1].ends + _pause(chance)
        runs.append(_dispatched(chance, runs[-1], start, _ending(chance)))
    return runs


def _is_re_run(chance: random.Random, begins: float) -> list[Run]:
    run = _first(chance, begins, chance.choice(("failed", "failed", "killed")))
    start = run.ends + _pause(chance)
    return [run, _re_run(chance, run, start, _ending(chance), partly=False)]


def _is_re_run_partly(chance: random.Random, begins: float) -> list[Run]:
    run = _first(chance, begins, "failed")
    start = run.ends + _pause(chance)
    return [run, _re_run(chance, run, start, _ending(chance), partly=True)]


def _is_dispatched_twice(chance: random.Random, begins: float) -> list[Run]:
    """Return two runs that overlap; the older one may be cancelled on the way."""
    run = _first(chance, begins, _ending(chance))
    second = begins + chance.random() * (run.ends - begins)
    other = _dispatched(chance, run, second, _ending(chance))
    if chance.random() < 0.6:
        run = msgspec.structs.replace(run, end="failed", ends=second + chance.uniform(2, 90))
        run = _cut(chance, run)
    return [run, other]


def _is_made_anew(chance: random.Random, begins: float) -> list[Run]:
    """Return a success and a deliberate run after it."""
    run = _first(chance, begins, "running")
    start, end = run.ends + _pause(chance), _ending(chance)
    if chance.random() < 0.5:
        return [run, _re_run(chance, run, start, end, partly=False)]
    return [run, _dispatched(chance, run, start, end)]


def _is_replaced(chance: random.Random, begins: float) -> list[Run]:
    """Return a run, and another one that removes its machine before it makes the next one."""
    run = _first(chance, begins, chance.choice(("running", "running", "failed")))
    run = msgspec.structs.replace(run, names_machine=True, steps=max(run.steps, 1))
    other = _dispatched(chance, run, run.ends + _pause(chance), _ending(chance))
    return [run, msgspec.structs.replace(other, machine=Machine("srv-1"), removes=run.machine)]


def _is_re_run_after_another(chance: random.Random, begins: float) -> list[Run]:
    """Return two failed runs, and a re-run of the older one: the known limit of the order."""
    run = _first(chance, begins, "failed")
    other = _dispatched(chance, run, run.ends + _pause(chance), "failed")
    again = _re_run(chance, run, other.ends + _pause(chance), _ending(chance), partly=False)
    return [run, other, msgspec.structs.replace(again, place=2, machine=Machine("srv-2"))]


KINDS: Mapping[str, tuple[int, Kind]] = {
    "succeeds": (40, _succeeds),
    "fails": (10, _fails),
    "is killed": (6, _is_killed),
    "never starts": (2, _never_starts),
    "fails at once, is re-run": (6, _fails_at_once),
    "is tried again": (10, _is_tried_again),
    "is re-run": (8, _is_re_run),
    "is re-run partly": (6, _is_re_run_partly),
    "is dispatched twice": (12, _is_dispatched_twice),
    "is made anew": (6, _is_made_anew),
    "is replaced": (4, _is_replaced),
    "is re-run after another": (2, _is_re_run_after_another),
}
