"""Request bodies of at most 1 MiB."""

from __future__ import annotations

from typing import IO

from flask import request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

MAX_BODY_BYTES = 1024 * 1024


def whole_body() -> bytes:
    """Return the request's body; raise `RequestEntityTooLarge` for more than 1 MiB."""
    length = request.content_length
    return _chunked_body() if length is None else body_of(length, request.environ["wsgi.input"])


def body_of(length: int, stream: IO[bytes]) -> bytes:
    """Return a body of this many bytes; raise `ClientDisconnected` if the client sends fewer."""
    if length > MAX_BODY_BYTES:
        raise RequestEntityTooLarge
    # A body that has arrived needs one read: each read costs a switch of threads.
    body = stream.read(length)
    while len(body) < length:
        if not (more := stream.read(length - len(body))):
            raise ClientDisconnected
        body += more
    return body


def _chunked_body() -> bytes:
    body = request.get_data(cache=False)
    # Flask cuts off a body without a length at the limit, silently.
    if len(body) >= MAX_BODY_BYTES and request.environ["wsgi.input"].read(1):
        raise RequestEntityTooLarge
    return body
