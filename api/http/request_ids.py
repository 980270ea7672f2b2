"""Request ids: each log line of a request has its id, and so has the answer, in `X-Request-Id`."""

from __future__ import annotations

from contextvars import ContextVar
from random import getrandbits
from string import ascii_letters, digits
from typing import Final

HEADER: Final = "X-Request-Id"
MAX_CHARACTERS: Final = 128
ALLOWED: Final = f"{ascii_letters}{digits}-._~:/+=@".encode()
"""The characters of ids that proxies and tracing make: UUIDs, ULIDs, base64 and URNs."""

REQUEST_ID: Final[ContextVar[str]] = ContextVar("REQUEST_ID", default="")
"""The id of the request that this task or thread answers; empty if it answers none."""


def begin(given: str | None) -> str:
    """Return the id of a request that begins; log lines of this task or thread have it from now on.

    The id is the one in the request's header, unless it is too long or has other characters: log
    lines and headers must not grow, or be forged, by what a stranger sends.
    """
    request_id = given if given and _is_fit(given) else getrandbits(64).to_bytes(8, "big").hex()
    REQUEST_ID.set(request_id)
    return request_id


def _is_fit(given: str) -> bool:
    return (
        len(given) <= MAX_CHARACTERS
        and given.isascii()
        and not given.encode().translate(None, ALLOWED)
    )
