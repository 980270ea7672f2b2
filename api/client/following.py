"""Following a stream: what it tells, in order and once each, however often it has to be resumed.

1. Open the stream with the id of the last block that was read.
2. Read blocks until the stream ends, breaks, or is silent for longer than its beat allows.
3. Say why it was lost and for how long to wait, wait, and begin again at 1.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple, TypeAlias

from api.client.blocks import Block, blocks
from api.client.server import NO_MILEPOST, NoServer, Refused, RemoteServer, json_object, reason

QUIET_SECONDS: Final = 15.0
"""How long a stream may be silent. Milepost writes something every 5 s."""
FIRST_PAUSE: Final = 2.0
"""How many seconds to wait before the stream is opened again, unless its server has said so."""
LONGEST_PAUSE: Final = 15.0
"""The pause doubles with each failure, up to this many seconds."""
LONGEST_RETRY_AFTER: Final = 60.0
"""A server that wants to be asked again later than after this many seconds is asked earlier."""
PASSING: Final = (408, 429, 500, 502, 503, 504)
"""Statuses that say something of this moment only. Another one would come again."""
MAX_DIGITS: Final = 18
"""How many digits a position of the log has at most."""
LONGEST_BLOCK: Final = 16 * 1024 * 1024
"""How many bytes a block may have. A job's document has 64 KiB, or 1 MiB of error."""


class Live(NamedTuple):
    """The stream is open; `server_time` is what the clock of its server shows, if it says so."""

    server_time: datetime | None


class Event(NamedTuple):
    """An event of the log, at a position, with the document after it."""

    position: int
    document: dict[str, Any]


class Ended(NamedTuple):
    """The job has ended at a position: its last news."""

    position: int


class Lost(NamedTuple):
    """The stream was lost, for this reason; it will be opened again after so many seconds."""

    why: str
    seconds: float


News: TypeAlias = Live | Event | Ended | Lost


class Following:
    """The news of the stream at a path; iterating ends with the job, or never.

    Raises `Refused` if the server will never let this stream be read, and `NoServer` if no Milepost
    answers the first request.
    """

    def __init__(
        self,
        server: RemoteServer,
        path: str,
        wait: Callable[[float], object],
        quiet_seconds: float = QUIET_SECONDS,
    ) -> None:
        self._server = server
        self._path = path
        self._wait = wait
        self._quiet_seconds = quiet_seconds
        self._last_id = ""
        self._pause = FIRST_PAUSE
        self._failures = 0
        self._has_answered = False

    def __iter__(self) -> Iterator[News]:
        while True:
            retry_after = None
            try:
                for news in self._until_lost():
                    yield news
                    if isinstance(news, Ended):
                        return
                why = "the server has closed the stream"
            except Refused as refused:
                if refused.status not in PASSING:
                    raise
                self._has_answered = True
                why, retry_after = str(refused), refused.retry_after
            except NoServer as error:
                if not self._has_answered:
                    raise
                why = str(error)
            seconds = self._next_pause(retry_after)
            yield Lost(why, seconds)
            self._wait(seconds)

    def _until_lost(self) -> Iterator[News]:
        """Yield what one connection tells."""
        resuming = {"Last-Event-ID": self._last_id} if self._last_id else {}
        with self._server.stream(self._path, resuming, self._quiet_seconds) as stream:
            self._has_answered = True
            if stream is None:
                yield Ended(self._position())
                return
            yield Live(_time(stream.getheader("Date")))
            for block in blocks(_lines(stream, self._quiet_seconds)):
                yield from self._news(block)

    def _news(self, block: Block) -> Iterator[News]:
        self._failures = 0
        if block.retry and _is_number(block.retry):
            self._pause = min(LONGEST_PAUSE, int(block.retry) / 1_000)
        if block.id is not None:
            if not _is_number(block.id):
                raise NoServer(NO_MILEPOST)
            self._last_id = block.id
        if block.data is None:
            return
        if block.event == "end":
            yield Ended(self._position())
        elif block.event is None:
            yield Event(self._position(), json_object(block.data.encode()))

    def _position(self) -> int:
        if not self._last_id:
            raise NoServer(NO_MILEPOST)
        return int(self._last_id)

    def _next_pause(self, retry_after: int | None) -> float:
        grown = min(LONGEST_PAUSE, self._pause * 2.0**self._failures)
        # Beyond this many doublings every pause is the longest one.
        self._failures = min(self._failures + 1, 8)
        return grown if retry_after is None else min(LONGEST_RETRY_AFTER, float(retry_after))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS


def _lines(stream: http.client.HTTPResponse, quiet_seconds: float) -> Iterator[bytes]:
    """Yield the lines of a stream; raise `NoServer` if it breaks."""
    size = 0  # of the block, as far as it has come
    while True:
        try:
            line = stream.readline(LONGEST_BLOCK)
        except TimeoutError as error:
            raise NoServer(f"nothing came for {quiet_seconds:g} s") from error
        except (OSError, http.client.HTTPException) as error:
            raise NoServer(reason(error)) from error
        if not line:
            return
        size = size + len(line) if line.strip() else 0
        if size >= LONGEST_BLOCK:
            raise NoServer(NO_MILEPOST)
        yield line


def _time(date: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(date) if date else None
    except ValueError:
        return None
