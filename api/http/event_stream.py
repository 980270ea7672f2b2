"""What a stream says: server-sent events (WHATWG HTML, 9.2), and how a reader resumes.

A block is an event: its `id` is a position of the log, its data a document on one line. So a reader
that says the last id it has seen gets the events after it, from any process.
"""

from __future__ import annotations

from random import randrange
from typing import TYPE_CHECKING, Final

import msgspec

from api.errors import InvalidFields

if TYPE_CHECKING:  # the command line loads this module, and none of the web
    from api.http.headers import Headers

MIME_TYPE: Final = "text/event-stream"
HEADERS: Final = (
    ("Content-Type", MIME_TYPE),
    ("Cache-Control", "no-store"),
    ("X-Accel-Buffering", "no"),  # nginx would keep events until it has a page of them
)
BEAT: Final = b":\n\n"
"""A comment, which readers ignore: proxies see that the connection is used, and a write to a reader
that is gone fails."""
LAST_EVENT_ID: Final = {
    "in": "header",
    "name": "Last-Event-ID",
    "schema": {"type": "string"},
    "description": "The last id that you have seen; the stream goes on with the event after it",
}
"""The header of a reader that comes again, for OpenAPI."""
MAX_DIGITS: Final = 18
RETRY_MS: Final = (1_000, 3_000)
"""How long a reader waits before it connects again: at least so long, and less than so long.

Each reader gets a time of its own, so that thousands do not come back at the same moment.
"""


def event(position: int, document: bytes) -> bytes:
    """Return the block of an event. JSON has no line breaks outside of its strings, nor in them."""
    return b"id: %d\ndata: %s\n\n" % (position, document)


def news(position: int) -> bytes:
    """Return a block that says that something happened, and not what."""
    return event(position, b"{}")


def bookmark(position: int) -> bytes:
    """Return a block without data: it only moves on where its reader will resume."""
    return b"id: %d\n\n" % position


def end(position: int, status: str, outcome: str | None) -> bytes:
    """Return the block that says that a job has ended. A block without data would be ignored."""
    document = msgspec.json.encode({"status": status, "outcome": outcome})
    return b"event: end\nid: %d\ndata: %s\n\n" % (position, document)


def retry() -> bytes:
    """Return a block that says how long the reader should wait before it connects again."""
    return b"retry: %d\n\n" % randrange(*RETRY_MS)  # noqa: S311  no secret


def resumed_after(header: Headers, after: int | None) -> int | None:
    """Return the position that the reader has seen last; None if it comes for the first time.

    The header goes before `after` in the query: an `EventSource` keeps the URL that it was made
    with. Raises `InvalidFields`.
    """
    given = header("Last-Event-ID")
    if not given:
        return after
    if not (given.isascii() and given.isdigit() and len(given) <= MAX_DIGITS):
        raise InvalidFields({"Last-Event-ID": ["Not an id of a stream: a position of the log."]})
    return int(given)
