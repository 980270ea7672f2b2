"""Reading request bodies, at most 64 KiB of them."""

from __future__ import annotations

from typing import IO

from flask import request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

MAX_BODY_BYTES = 64 * 1024


def whole_body() -> bytes:
    """Return the request's body; raise `RequestEntityTooLarge` if there is more than fits."""
    length = request.content_length
    return _chunked_body() if length is None else body_of(length, request.environ["wsgi.input"])


def body_of(length: int, stream: IO[bytes]) -> bytes:
    """Return a body of that length; raise `ClientDisconnected` if it breaks off."""
    if length > MAX_BODY_BYTES:
        raise RequestEntityTooLarge
    # One read where it is there already: each one makes threads change places.
    body = stream.read(length)
    while len(body) < length:
        if not (more := stream.read(length - len(body))):
            raise ClientDisconnected
        body += more
    return body


def _chunked_body() -> bytes:
    body = request.get_data(cache=False)
    # A body without a length is cut off silently where the limit is.
    if len(body) >= MAX_BODY_BYTES and request.environ["wsgi.input"].read(1):
        raise RequestEntityTooLarge
    return body
