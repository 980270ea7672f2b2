"""Reading request bodies, at most 64 KiB of them."""

from __future__ import annotations

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

MAX_BODY_BYTES = 64 * 1024


def whole_body() -> bytes:
    """Return the request's body; raise `RequestEntityTooLarge` if there is more than fits."""
    body = request.get_data(cache=False)
    # A body without a length (chunked) is cut off silently where the limit is.
    if len(body) >= MAX_BODY_BYTES and request.content_length is None:
        if request.environ["wsgi.input"].read(1):
            raise RequestEntityTooLarge
    return body
