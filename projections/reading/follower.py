"""The follower: it reads new events of the log once, for all streams of one process.

1. Sleep until the log has new events. Read them in order, in batches that are bounded in bytes.
2. For each event that somebody watches, fold the job up to it, with the fold of the projector.
3. Deliver to the audience, in slices. The next slice follows once the audience returns.

It runs only while there is an audience, in one thread. It needs neither the projector nor the rows.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from threading import Event, Lock, Thread
from time import monotonic
from typing import Final, NamedTuple, Protocol

from eventsourcing.persistence import PersistenceError

from domain.errors import Unavailable
from domain.job.runs.weight import weight_of
from domain.log.bounded import is_full
from domain.log.mapper import JobEventMapper, decoded
from domain.log.recalling.recent_jobs import RecentJobs
from domain.log.store import translated
from domain.log.stored import Stored
from projections.folding.fold import fold_one
from projections.read_model.contract import ReadModel, WakeUps
from projections.reading.time_travel import PointInHistory, travel
from projections.views.instance import Instance
from projections.views.view import Views

log = logging.getLogger("milepost.follower")

BATCH: Final = 1_000
"""How many events one read of the log returns at most."""
SLICE: Final = 100
"""How many events one delivery has at most: the event loop does other work between two."""
LOOK_SECONDS: Final = 0.25
"""How long the follower sleeps at most. Then it also asks whether it should end."""
GATHER_SECONDS: Final = 0.04
"""The shortest time between two reads: the events of many callbacks gather meanwhile. To people,
0.1 s is at once."""
AGAIN_SECONDS: Final = 1.0
"""How long the follower waits after an error."""
STATES_BYTES: Final = 16 * 2**20
"""About how many bytes the jobs' states take at most that are cached between their events."""
STATE_BYTES: Final = 1_500
"""About how many bytes a cached state takes without its attempts."""


class News(NamedTuple):
    """An event of the log, its job after it, and the position of the job's event before it."""

    event: Stored
    instance: Instance
    before: int = 0


class Audience(Protocol):
    """The streams that the follower delivers to. The follower's thread calls every method."""

    def is_there(self) -> bool:
        """Tell whether anybody watches."""
        ...

    def wants(self, event: Stored) -> bool:
        """Tell whether anybody watches the event's job; this must be quick."""
        ...

    def deliver(self, news: Sequence[News], position: int) -> None:
        """Take the wanted events up to that position, in the log's order, before returning."""
        ...


class Follower:
    """Follows the log for one audience."""

    def __init__(
        self,
        read_model: ReadModel,
        mapper: JobEventMapper,
        audience: Audience,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._read_model = read_model
        self._mapper = mapper
        self._audience = audience
        self._clock = clock
        self._view = Views(mapper.cipher).instance
        self._states = RecentJobs[Instance](STATES_BYTES, _weight)
        self._seeds: deque[Instance] = deque(maxlen=BATCH)
        self._position = 0
        self._changing = Lock()
        self._thread: Thread | None = None
        self._stop = Event()
        self._wake_ups: WakeUps | None = None

    def ensure(self, after: int | None = None) -> None:
        """Follow the log from now on: deliver every event that is committed after this call.

        If the follower does not run yet, it begins with the events after that position. The
        audience must be there before the call. Raises `StoreUnavailable`.
        """
        with self._changing:
            if self._thread is None and not self._stop.is_set():
                with translated():
                    newest = self._read_model.log.newest_position()
                self._position = newest if after is None else min(after, newest)
                thread = Thread(target=self._run, name="follower", daemon=True)
                thread.start()
                self._thread = thread

    @property
    def is_running(self) -> bool:
        """Whether the thread follows the log now."""
        return self._thread is not None

    def seed(self, instance: Instance) -> None:
        """Cache a state that a stream has read: it may spare the fold of the job's next event."""
        self._seeds.append(instance)

    def close(self) -> None:
        """End the thread, and wait for its end, but not for long."""
        self._stop.set()
        if self._wake_ups:
            self._wake_ups.interrupt()
        if thread := self._thread:
            thread.join(2 * LOOK_SECONDS)

    def _run(self) -> None:
        is_failing = False
        while not self._is_over():
            try:
                with self._read_model.wake_ups() as wake_ups:
                    is_failing = False
                    self._follow(wake_ups)
            except (PersistenceError, Unavailable) as error:
                if not is_failing and not self._stop.is_set():
                    log.warning("streams wait, because the database is away: %s", error)
                is_failing = True
                self._stop.wait(AGAIN_SECONDS)
            except Exception:
                # A bug in our own code is logged, and does not end the thread.
                log.exception("cannot follow the log, trying again")
                self._stop.wait(AGAIN_SECONDS)

    def _is_over(self) -> bool:
        with self._changing:
            if self._stop.is_set() or not self._audience.is_there():
                self._thread = None
                self._states.clear()
                return True
            return False

    def _follow(self, wake_ups: WakeUps) -> None:
        self._wake_ups = wake_ups
        while self._audience.is_there() and not self._stop.is_set():
            began = self._clock()
            events = self._read_model.log.events(self._position, BATCH)
            self._deliver(events)
            if not is_full(events, BATCH):
                wake_ups.wait(LOOK_SECONDS)
            if events:
                self._stop.wait(max(0.0, began + GATHER_SECONDS - self._clock()))

    def _deliver(self, events: Sequence[Stored]) -> None:
        self._take_seeds()
        wanted = [event for event in events if self._audience.wants(event)]
        for start in range(0, len(wanted), SLICE):
            news = list(self._news(wanted[start : start + SLICE]))
            self._audience.deliver(news, news[-1].event.position)
            # A delivered slice is not delivered again, even if the next one fails.
            self._position = news[-1].event.position
        if events:
            self._position = events[-1].position
        self._states.evict()

    def _news(self, events: Sequence[Stored]) -> Iterator[News]:
        for stored, event in decoded(events, self._mapper):
            before = self._before(stored)
            # The projector sets aside, and logs, an event that cannot be folded.
            after = fold_one(self._view, before, stored, event, [])
            self._states.remember(str(stored.job_id), after)
            yield News(stored, after, before.position)

    def _before(self, event: Stored) -> Instance:
        known: Instance | None = self._states.get(str(event.job_id))
        if known is not None and known.version == event.version - 1:
            return known
        point = PointInHistory(event.version - 1)
        return travel(self._view, str(event.job_id), point, self._read_model, self._mapper)

    def _take_seeds(self) -> None:
        while self._seeds:
            instance = self._seeds.popleft()
            if instance.job_id not in self._states:
                self._states.remember(instance.job_id, instance)


def _weight(instance: Instance) -> int:
    return STATE_BYTES + weight_of(instance.runs)
