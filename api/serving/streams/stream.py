"""A stream sends its reader first the events that it missed, page by page, and then live events.

1. The stream joins the channels of what it watches. From then on, the follower delivers to it.
2. The stream reads a page and writes it. If a later event was delivered meanwhile, it reads the
   next page. Else it is live: the next delivered event follows the page.
3. A live stream writes each delivered event after the position that it has sent.

So each event is sent once and in order, and nothing is stored for a stream that catches up.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from api.http import event_stream
from api.http.messages import Sink, Watch
from api.serving.streams.missed.pages import Page
from domain.errors import MilepostError, Unavailable
from projections.views.instance import Instance

MOST_UNSENT: Final = 64 * 1024
"""A reader that has more bytes than this to take gets the next event later, from the log."""
AGAIN_SECONDS: Final = 1.0
"""How long a stream that catches up waits for a database that is away."""


class Host(Protocol):
    """What a stream asks of the audience that it belongs to; see `Audience`."""

    def move(self, stream: Stream, job_id: str) -> None:
        """Deliver this job to the stream, in place of the agent's previous job."""
        ...

    def newest_of(self, stream: Stream) -> int:
        """Return the position of the newest event that was delivered to the stream's channels."""
        ...

    async def page(self, stream: Stream) -> Page:
        """Return the page after the position that the stream has sent."""
        ...

    def leave(self, stream: Stream) -> None:
        """Forget the stream."""
        ...


class Stream:
    """Sends events to one reader; the source of an answer (see `Source`).

    `sent` is the position up to which the reader has all events. With `says_end`, the stream ends
    with its job.
    """

    __slots__ = (
        "_drained",
        "_host",
        "_page",
        "_sink",
        "_task",
        "has_written",
        "is_live",
        "job_id",
        "says_end",
        "sent",
        "watch",
    )

    def __init__(self, watch: Watch, host: Host, *, says_end: bool) -> None:
        self.watch = watch
        self.job_id = watch.job_id
        self.sent = watch.after
        self.says_end = says_end
        self.is_live = self.has_written = False
        self._host = host
        self._sink: Sink | None = None
        self._page: Page | None = None
        self._task: asyncio.Task[None] | None = None
        self._drained: asyncio.Future[None] | None = None

    async def first_page(self) -> Page:
        """Read the page that the stream begins with."""
        self._page = page = await self._host.page(self)
        return page

    def begin(self, sink: Sink) -> None:
        """See `Source.begin`."""
        self._sink = sink
        page, self._page = self._page, None
        assert page
        if not self._send(page):
            self.catch_up()

    def drained(self) -> None:
        """See `Source.drained`."""
        if self._drained and not self._drained.done():
            self._drained.set_result(None)

    def gone(self) -> None:
        """See `Source.gone`."""
        self._sink = None
        self.is_live = False
        self.drained()
        self._host.leave(self)

    def take(self, position: int, block: bytes | None) -> None:
        """Write a delivered event, if the stream is live.

        Close the stream if there is no block: the event's document could not be made.
        """
        if block is None:
            self.close()
        elif self.is_live and position > (self.sent or 0) and self._sink:
            if self._sink.unsent > MOST_UNSENT:
                self.catch_up()
            else:
                self.sent = position
                self._write(event_stream.news(position) if self.watch.only_when else block)

    def catch_up(self) -> None:
        """Read pages of the log until the stream is live again."""
        self.is_live = False
        if self._sink and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._catch_up())

    def beat(self) -> None:
        """Write a comment, unless the stream wrote since the last beat or the reader is slow."""
        if not self.has_written and self._sink and not self._sink.unsent:
            newest = self._host.newest_of(self) if self.is_live and self.watch.is_of_all else 0
            if newest > (self.sent or 0):
                # No event up to this position was for this reader, which may resume after it.
                self.sent = newest
                self._sink.write(event_stream.bookmark(newest))
            else:
                self._sink.write(event_stream.BEAT)
        self.has_written = False

    def end_with(self, job: Instance) -> None:
        """Say that the job has ended and close, if the stream is live."""
        if self.is_live and self.says_end and self._sink:
            outcome = job.attempt.outcome
            self._write(event_stream.end(job.position, job.status, outcome))
            self.close()

    def finish(self) -> None:
        """Close the stream, because the server is about to end; the reader connects again."""
        if self._sink and self._sink.unsent:
            self._sink.abort()
        elif self._sink:
            self._write(event_stream.retry())
            self.close()

    def close(self) -> None:
        """Close the connection once everything is sent."""
        if self._sink:
            self._sink.close()
        self.is_live, self._sink = False, None

    async def _catch_up(self) -> None:
        while self._sink:
            if self._sink.unsent > MOST_UNSENT:
                self._drained = asyncio.get_running_loop().create_future()
                await self._drained
                continue
            try:
                page = await self._host.page(self)
            except Unavailable:
                # The stream outlives a database that is away: some readers never connect again.
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            except MilepostError:
                self.close()
                return
            # The reader may have gone meanwhile; then its channels have forgotten the stream.
            if self._sink and self._send(page):
                return

    def _send(self, page: Page) -> bool:
        """Write a page; return True if the stream is live then."""
        after = -1 if self.sent is None else self.sent
        blocks = [
            event_stream.news(position) if self.watch.only_when else block
            for position, block in page.blocks
            if position > after
        ]
        self.sent = max(after, page.upto)
        if blocks:
            self._write(b"".join(blocks))
        if page.shown and page.shown.job_id != self.job_id:
            # The channel of this job delivers from now on: the page may lack an earlier event.
            self._host.move(self, page.shown.job_id)
            return False
        if page.more or self._host.newest_of(self) > self.sent:
            return False
        self.is_live = True
        if page.shown and page.shown.has_ended:
            self.end_with(page.shown)
        return True

    def _write(self, block: bytes) -> None:
        if self._sink:
            self.has_written = True
            self._sink.write(block)
