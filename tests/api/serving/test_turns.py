"""Turns: nobody waits behind all the work of one caller."""

from __future__ import annotations

from api.serving.turns import Turns


def test_each_caller_in_turn_gives_its_oldest_work() -> None:
    turns = Turns[str]()
    for caller, work in [("a", "a1"), ("a", "a2"), ("a", "a3"), ("b", "b1"), ("c", "c1")]:
        turns.put(caller, work)
    taken = [turns.take(), turns.take()]
    turns.put("b", "b2")

    taken += [turns.take() for _ in range(5)]

    assert taken == ["a1", "b1", "c1", "a2", "b2", "a3", None]
