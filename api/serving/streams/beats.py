"""Beats: a silent stream sends a comment every few seconds.

So proxies see that the connection is in use, and the server notices that a reader is gone.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable
from itertools import cycle
from typing import Final

from api.serving.streams.stream import Stream

PARTS: Final = 20
"""The streams beat in this many groups: the event loop does other work between two groups."""


class Beats:
    """Lets each stream beat once in `seconds`; calls `each_round` after each round of beats."""

    def __init__(
        self, loop: AbstractEventLoop, seconds: float, each_round: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._pause = seconds / PARTS
        self._each_round = each_round
        self._parts: list[dict[Stream, None]] = [{} for _ in range(PARTS)]
        self._smallest = cycle(self._parts)
        self._is_running = False

    def add(self, stream: Stream) -> None:
        """Let a stream beat."""
        next(self._smallest)[stream] = None
        if not self._is_running:
            self._is_running = True
            self._loop.call_later(self._pause, self._beat, 0)

    def remove(self, stream: Stream) -> None:
        """Let a stream beat no more."""
        for part in self._parts:
            part.pop(stream, None)

    def _beat(self, number: int) -> None:
        for stream in tuple(self._parts[number]):
            stream.beat()
        if number == PARTS - 1:
            self._each_round()
        self._is_running = any(self._parts)
        if self._is_running:
            self._loop.call_later(self._pause, self._beat, (number + 1) % PARTS)
