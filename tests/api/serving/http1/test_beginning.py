"""Beginning: however many requests become whole at once, a turn of the loop begins few answers."""

from __future__ import annotations

import asyncio
from collections import Counter

from api.serving.http1.beginning import AT_ONCE, Beginning


class Numbered:
    """A connection whose answer notes its number, and the turn in which it begins."""

    def __init__(self, number: int, turns: list[int], begun: list[tuple[int, int]]) -> None:
        self.number, self.turns, self.begun = number, turns, begun

    def begin(self) -> None:
        self.begun.append((self.turns[-1], self.number))


def test_a_turn_of_the_loop_begins_few_answers_and_keeps_their_order() -> None:
    async def test() -> None:
        turns, begun = [0], list[tuple[int, int]]()
        beginning = Beginning(asyncio.get_running_loop())

        def begin(number: int) -> None:
            beginning.begin(Numbered(number, turns, begun))

        for number in range(3 * AT_ONCE):
            begin(number)
        while len(begun) < 3 * AT_ONCE + 1:
            turns.append(len(turns))
            await asyncio.sleep(0)
            if len(turns) == 2:
                begin(3 * AT_ONCE)

        assert {number for _, number in begun} == set(range(3 * AT_ONCE + 1))
        first = [number for _, number in begun if number < 3 * AT_ONCE]
        assert first == sorted(first)
        in_turns = Counter(turn for turn, _ in begun)
        assert max(in_turns.values()) == AT_ONCE
        assert len(in_turns) >= 4

    asyncio.run(test())
