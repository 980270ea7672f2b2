"""A sender's own id for its request: the `Idempotency-Key` header, or a delivery's id."""

from __future__ import annotations

from typing import Any

from api.errors import InvalidFields
from api.http.headers import Headers
from api.schemas.ids import MAX_ID, is_printable


def parameter(description: str) -> dict[str, Any]:
    """Document the header as a parameter."""
    return {
        "in": "header",
        "name": "Idempotency-Key",
        "schema": {"type": "string", "maxLength": MAX_ID},
        "description": description,
    }


def idempotency_key(header: Headers) -> str | None:
    """Return a request's idempotency key, None without one; raise `InvalidFields`."""
    key = (header("Idempotency-Key") or "").strip()
    return checked("Idempotency-Key", key) if key else None


def checked(header: str, value: str) -> str:
    """Return a header's value if it can be stored as an id; otherwise raise `InvalidFields`."""
    if len(value) > MAX_ID:
        raise InvalidFields({header: [f"Longer than maximum length {MAX_ID}."]})
    if not value.isascii():
        raise InvalidFields({header: ["Has a character that is not ASCII."]})
    if not is_printable(value):
        raise InvalidFields({header: ["Has a control character."]})
    return value
