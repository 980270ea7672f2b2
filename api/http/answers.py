"""Answers in JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from api.http.messages import Answer

JSON: Final = ("Content-Type", "application/json")
_encoder = msgspec.json.Encoder()


def in_json(body: object, status: int = 200, headers: Sequence[tuple[str, str]] = ()) -> Answer:
    """Return the body as JSON. `api/representations/` makes it; the schemas only describe it."""
    return of_json(encoded(body), status, headers)


def of_json(body: bytes, status: int = 200, headers: Sequence[tuple[str, str]] = ()) -> Answer:
    """Return a body that is JSON already."""
    return Answer(status, [*headers, JSON], body + b"\n")


def encoded(body: object) -> bytes:
    """Return the body as JSON on one line."""
    return _encoder.encode(body)
