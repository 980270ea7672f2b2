"""Answers in JSON."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from flask import Response

_encoder = msgspec.json.Encoder()


def answer(body: object, status: int = 200, headers: Sequence[tuple[str, str]] = ()) -> Response:
    """Return the body, one of `api/representations.py`, as it is: the schemas only describe it."""
    json = ("Content-Type", "application/json")
    return Response(_encoder.encode(body) + b"\n", status, [*headers, json])
