"""The `Idempotency-Key` header."""

from __future__ import annotations

from flask import request

from api.errors import InvalidFields
from api.schemas import MAX_ID


def idempotency_key() -> str | None:
    """Return the request's idempotency key, if it has one; raise `InvalidFields`."""
    key = request.headers.get("Idempotency-Key", "").strip()
    if len(key) > MAX_ID:
        raise InvalidFields({"Idempotency-Key": [f"Longer than maximum length {MAX_ID}."]})
    return key or None
