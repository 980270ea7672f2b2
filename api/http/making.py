"""Making large answers: two at a time for each caller.

An answer about one job, or with many events, takes several times its bytes while it is made. More
at once would be no faster: the interpreter runs one thread at a time. But 500 slow readers of
events made a worker take 536 MB so, and 16 readers of one job with 10,000 steps 567 MB.

Each caller waits for its own answers only: a caller that asks for large ones must not hold up the
others. It waits as long as its client does: an answer that comes later would be made for nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock
from typing import Final

from api.http.patience import seconds_left
from api.tokens import Principal
from domain.errors import StoreUnavailable

AT_ONCE: Final = 2
"""How many large answers a process makes at the same time for one `Principal.sharer`."""


class _Places:
    """The places of one caller. `waiting` counts who has one or waits for one."""

    def __init__(self) -> None:
        self.free = BoundedSemaphore(AT_ONCE)
        self.waiting = 0


_lock: Final = Lock()
_places: Final[dict[str, _Places]] = {}


@contextmanager
def making(caller: Principal) -> Iterator[None]:
    """Wait for a place of this caller, and hold it. One thread must not hold two.

    Raises `StoreUnavailable` if no place gets free while the caller's client waits. The front
    raises it, too, at the end of that time.
    """
    with _lock:
        places = _places.setdefault(caller.sharer, _Places())
        places.waiting += 1
    try:
        if not places.free.acquire(timeout=seconds_left()):
            raise StoreUnavailable("the caller's other large answers took all of its time")
        try:
            yield
        finally:
            places.free.release()
    finally:
        with _lock:
            places.waiting -= 1
            if not places.waiting:
                del _places[caller.sharer]
