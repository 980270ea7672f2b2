"""Long polls: `Prefer: wait=30` (RFC 7240) beside `If-None-Match` waits for the next change."""

from __future__ import annotations

from typing import Final

from api.http.headers import Headers

MAX_WAIT_SECONDS: Final = 60
"""How long a request waits at most, whatever it prefers: proxies give up on silent requests."""
MAX_PREFERENCES: Final = 1024
"""How many characters of the header are looked at."""
PREFER: Final = {
    "in": "header",
    "name": "Prefer",
    "schema": {"type": "string"},
    "description": "`wait=30` with If-None-Match: answer when the body changes, after 30 s at the "
    "latest, or 60 s if you prefer more. Preference-Applied says that the server did",
}
"""The preference of a request, for OpenAPI."""


def preferred_wait(header: Headers) -> int:
    """Return how many seconds the client would wait; 0 without a valid preference.

    A preference that cannot be understood is ignored (RFC 7240, 2).
    """
    given = header("Prefer")
    if given is None:
        return 0
    for preference in given[:MAX_PREFERENCES].split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        seconds = value.strip().strip('"')
        if name.strip().lower() == "wait" and seconds.isascii() and seconds.isdigit():
            return min(MAX_WAIT_SECONDS, int(seconds[:4]))
    return 0


def applied(seconds: int) -> tuple[str, str]:
    """Return the header that tells the client that its preference was followed."""
    return "Preference-Applied", f"wait={seconds}"
