"""The audience: every stream of one event loop, within bounds, from its beginning to its end."""

from __future__ import annotations

from asyncio import AbstractEventLoop, Event, Task, timeout
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final, NamedTuple

from api.errors import TooManyRequests, TooManyStreams
from api.http import event_stream
from api.http.messages import Answer, Watch
from api.serving.gathering import Gathering
from api.serving.streams.alarm import Alarm
from api.serving.streams.beats import Beats
from api.serving.streams.channels import Channel, Channels
from api.serving.streams.delivering import Delivering
from api.serving.streams.documents import Documents
from api.serving.streams.missed.page_places import PagePlaces
from api.serving.streams.missed.pages import Asked, Page, Pages, visible
from api.serving.streams.stream import Stream
from api.serving.streams.token_check import TokenCheck
from api.serving.threads import BoundedThreads
from api.tokens import Principal
from api.wiring import Services
from domain.errors import MilepostError, StoreUnavailable
from domain.writing.batching import Batching
from projections.reading.follower import Follower

PATIENCE_SECONDS: Final = 30.0
"""How long the first page of a stream may take. Thousands of readers may connect at once, and some
readers never connect again after a refusal."""


class Bounds(NamedTuple):
    """The bounds on the streams of one event loop."""

    streams: int = 1_024
    """The most streams at a time, together with the requests that wait for a change."""
    beat_seconds: float = 5.0
    """How long a stream is silent at most. By then, it also notices that its reader is gone, or may
    not read any more."""


BOUNDS: Final = Bounds()


class Audience:
    """The streams of one event loop."""

    def __init__(
        self,
        services: Services,
        loop: AbstractEventLoop,
        threads: BoundedThreads,
        bounds: Bounds,
    ) -> None:
        self._loop = loop
        self._clock = services.clock
        self._bounds = bounds
        self._open: dict[Stream, None] = {}
        self._held = Counter[str]()
        self._finished = Event()
        self._channels = Channels()
        documents = Documents(services)
        delivering = Delivering(loop, self._channels, documents, lambda: bool(self._open))
        self._follower = Follower(services.read_model, services.milepost.mapper, delivering)
        self._pages = Pages(services, documents)
        self._reading = Batching[Asked, Page](
            self._read,
            name="streams",
            max_waiting=2 * bounds.streams,
            patience=PATIENCE_SECONDS,
        )
        self._asking = Gathering(loop, self._reading)
        self._places = PagePlaces(PATIENCE_SECONDS)
        self._tokens = TokenCheck(services, threads)
        self._beats = Beats(loop, bounds.beat_seconds, self._check_tokens)
        self._checking: Task[None] | None = None

    async def stream(self, watch: Watch) -> Answer:
        """See `Door.watch`."""
        stream = self._admitted(watch, says_end=watch.job_id is not None)
        try:
            page = await stream.first_page()
        except BaseException:
            self.leave(stream)
            raise
        if stream.says_end and page.shown and page.shown.has_ended and not page.blocks:
            self.leave(stream)
            return Answer(204, [("Cache-Control", "no-store")])
        self._beats.add(stream)
        return Answer(200, event_stream.HEADERS, event_stream.retry(), stream)

    async def changed(self, watch: Watch, seconds: float) -> bool:
        """See `Door.changed`; False if the server is about to end or has too many streams.

        False also if the caller has too many streams.
        """
        if self._finished.is_set() or self._refusal(watch.caller):
            return False
        stream = self._admitted(watch, says_end=False)
        try:
            await stream.first_page()
            if self._finished.is_set():
                return False
            alarm = Alarm(self._loop)
            stream.begin(alarm)
            async with timeout(seconds):
                await alarm.rung
        except TimeoutError:
            pass
        finally:
            stream.gone()
        return True

    def finish(self) -> None:
        """End every stream and every wait for a change, because the server is about to end.

        Each reader is told when to connect again.
        """
        self._finished.set()
        for stream in tuple(self._open):
            stream.finish()

    def close(self) -> None:
        """End the threads, and the check of tokens that is under way."""
        if self._checking is not None:
            self._checking.cancel()
        self._follower.close()
        self._reading.close()

    # What a stream calls: see `Host`

    def move(self, stream: Stream, job_id: str) -> None:
        """See `Host.move`."""
        self._channels.move(stream, job_id)

    def newest_of(self, stream: Stream) -> int:
        """See `Host.newest_of`."""
        return self._channels.newest_of(stream)

    async def page(self, stream: Stream) -> Page:
        """See `Host.page`."""
        async with self._places.place(_sharer(stream.watch.caller)):
            if stream not in self._open:  # it waited, and other streams of the user wait behind it
                raise StoreUnavailable("the reader of this stream is gone")
            return await self._asking.ask(Asked(stream.watch, stream.sent))

    def leave(self, stream: Stream) -> None:
        """See `Host.leave`."""
        if stream in self._open:
            del self._open[stream]
            sharer = _sharer(stream.watch.caller)
            self._held[sharer] -= 1
            if not self._held[sharer]:
                del self._held[sharer]
            self._channels.leave(stream)
            self._beats.remove(stream)

    def _admitted(self, watch: Watch, *, says_end: bool) -> Stream:
        if refusal := self._refusal(watch.caller):
            raise refusal
        stream = Stream(watch, self, says_end=says_end)
        self._open[stream] = None
        self._held[_sharer(watch.caller)] += 1
        self._channels.join(stream)
        return stream

    def _refusal(self, caller: Principal) -> MilepostError | None:
        """Return why there may be no further stream of this caller; None if there may."""
        free, sharer = self._bounds.streams - len(self._open), _sharer(caller)
        if free <= 0:
            return TooManyStreams()
        # As `BoundedThreads` has it: a user alone gets a half of all, two get a third each.
        return TooManyRequests() if sharer and self._held[sharer] >= free else None

    def _read(self, asked: Sequence[Asked]) -> Sequence[Page | Exception]:
        # The follower must run before the pages are read: it delivers what is committed after them.
        self._follower.ensure()
        channels = [self._channels.jobs.get(watch.job_id or "") for watch, _ in asked]
        pages = [
            channel.page(after) if channel else None
            for channel, (_, after) in zip(channels, asked, strict=True)
        ]
        unread = [each for each, page in zip(asked, pages, strict=True) if page is None]
        read = iter(self._pages.read(unread))
        return [
            visible(page, each.watch) if page else self._noted(next(read), channel, each.after)
            for page, channel, each in zip(pages, channels, asked, strict=True)
        ]

    def _noted(
        self, page: Page | Exception, channel: Channel | None, after: int | None
    ) -> Page | Exception:
        if channel:
            channel.share(after, page)
        if isinstance(page, Page) and page.shown and not page.more:
            self._follower.seed(page.shown)
        return page

    def _check_tokens(self) -> None:
        if self._checking is None or self._checking.done():
            self._checking = self._loop.create_task(self._end_streams_without_caller())

    async def _end_streams_without_caller(self) -> None:
        by_token: dict[str, list[Stream]] = defaultdict(list)
        by_session: dict[str, list[Stream]] = defaultdict(list)
        now = self._clock().timestamp()
        for stream in tuple(self._open):
            caller = stream.watch.caller
            if caller.until is not None and caller.until <= now:
                stream.close()
                continue
            by_token[caller.token_id].append(stream)
            if caller.session:
                by_session[caller.session].append(stream)
        ended = await self._tokens.ended(by_token.keys(), by_session.keys())
        for token_id in ended.tokens:
            for stream in by_token[token_id]:
                stream.close()
        for session in ended.sessions:
            for stream in by_session[session]:
                stream.close()


def _sharer(caller: Principal) -> str:
    """Return who shares a caller's streams; nobody shares those of a token for all users.

    The operator's own pages may show one token to thousands of readers.
    """
    return caller.sharer if caller.user_id or caller.until is not None else ""
