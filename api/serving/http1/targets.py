"""The target of a request: its path and its query. Most clients send the same one each time."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from httptools import HttpParserInvalidURLError, parse_url

from api.http.callers.links import GIVEN, without_link

REMEMBERED: Final = 1024
SHORT_BYTES: Final = 512
"""No longer target is remembered, so all of them take 2.3 MB at most."""
LINKED: Final = GIVEN.encode()


class Target(NamedTuple):
    """A target in parts. `path` has no percent signs any more; `text` is that path as text.

    `asked_for` is the whole query; `query` is its text without the link that it may have.
    """

    path: bytes
    asked_for: bytes
    text: str
    query: str
    link: str | None


def target_of(sent: bytes) -> Target:
    """Return the parts of a target. One with a link, which is a secret, is not remembered."""
    if len(sent) > SHORT_BYTES or LINKED in sent:
        return _parts(sent)
    return _remembered(sent)


def _parts(sent: bytes) -> Target:
    whole = sent if sent.startswith(b"/") else _without_origin(sent)
    path, _, asked_for = whole.partition(b"?")
    path = unquote_to_bytes(path) if b"%" in path else path
    query, link = without_link(asked_for.decode("latin-1"))
    return Target(path, asked_for, path.decode("utf-8", "replace"), query, link)


_remembered = lru_cache(REMEMBERED)(_parts)


def _without_origin(target: bytes) -> bytes:
    # A client that takes this server for a proxy names the origin, too (RFC 9112, 3.2.2).
    try:
        url = parse_url(target)
    except HttpParserInvalidURLError:
        return target
    path = url.path or b"/"
    return path if url.query is None else path + b"?" + url.query
