"""Answers in JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from flask import Response

JSON = ("Content-Type", "application/json")
_encoder = msgspec.json.Encoder()


class Plain(NamedTuple):
    """An answer that Flask is not needed for."""

    status: str
    headers: Sequence[tuple[str, str]]
    body: bytes = b""

    def response(self) -> Response:
        """Return it as one of Flask's."""
        return Response(self.body, self.status, self.headers)


def in_json(body: object, headers: Sequence[tuple[str, str]] = ()) -> Plain:
    """Return the body, made by `api/representations/`, as it is: the schemas only describe it."""
    written = _encoder.encode(body) + b"\n"
    return Plain("200 OK", [*headers, JSON, ("Content-Length", str(len(written)))], written)


def answer(body: object, status: int = 200, headers: Sequence[tuple[str, str]] = ()) -> Response:
    """Return the body, made by `api/representations/`, as it is: the schemas only describe it."""
    return Response(_encoder.encode(body) + b"\n", status, [*headers, JSON])
