"""What becomes of words on their way: lost, repeated, delayed, reordered."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec

from tests.drill.model.truth import Word


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """A network. Shares are of 1; a delay is in seconds.

    `quiet` is the share of jobs that nobody hears for `QUIET_SECONDS` in the middle.
    """

    name: str
    lost: float = 0.0
    repeated: float = 0.0
    delayed: float = 0.0
    delay: float = 0.0
    quiet: float = 0.0
    share: int = 1


WAYS: Sequence[Way] = (
    Way(name="faithful", share=5),
    Way(name="lossy", lost=0.15, share=3),
    Way(name="repeating", repeated=0.2, delay=40, share=2),
    Way(name="late", delayed=0.2, delay=300, share=2),
    Way(name="quiet", quiet=1.0, share=1),
    Way(name="dreadful", lost=0.3, repeated=0.2, delayed=0.3, delay=900, share=2),
)
QUIET_SECONDS = 1500.0


def sent_over(way: Way, words: Sequence[Word], chance: random.Random) -> tuple[Word, ...]:
    """Return the words with the times at which each of them arrives."""
    if not words:
        return ()
    hush = words[0].sent + chance.random() * (words[-1].sent - words[0].sent)
    quiet = chance.random() < way.quiet
    arrived = []
    for word in words:
        times: list[float] = []
        hushed = quiet and hush < word.sent < hush + QUIET_SECONDS
        if not hushed and chance.random() >= way.lost:
            times.append(word.sent + 0.2)
            if chance.random() < way.delayed:
                times = [word.sent + chance.random() * way.delay]
            if chance.random() < way.repeated:
                times.append(times[0] + 1 + chance.random() * way.delay)
        arrived.append(msgspec.structs.replace(word, arrives=tuple(times)))
    return tuple(arrived)
