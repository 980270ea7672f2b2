"""Cross-origin reading (CORS): pages of other origins may read answers, if a setting names them.

1. Only GET and HEAD below `/api/` are for others. What changes something stays unreadable to them.
2. No answer allows credentials, so a browser shows no page what a cookie lets its user see. A
   page sends a token, or asks with a signed link.
3. Before a request with a token, a browser asks by OPTIONS whether it may send it (a preflight).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from api.http.headers import Headers
from api.http.messages import Answer

READS: Final = ("GET", "HEAD")
FOR_PAGES: Final = "/api/"
VARY: Final = ("Vary", "Origin")
EXPOSED: Final = (
    "Access-Control-Expose-Headers",
    "ETag, Link, Retry-After, Preference-Applied, X-Request-Id",
)
"""The headers of an answer that a browser lets a page of another origin read only if Milepost names
them."""
PREFLIGHT: Final = (
    ("Access-Control-Allow-Methods", ", ".join(READS)),
    ("Access-Control-Allow-Headers", "Authorization, Last-Event-ID, If-None-Match, Prefer"),
    ("Access-Control-Max-Age", "7200"),  # Chromium remembers the answer for no longer
)


class CrossOrigin:
    """The origins whose pages may read, each as a browser sends it: `https://app.example`."""

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(origins)

    def headers(self, method: str, path: str, header: Headers) -> Sequence[tuple[str, str]]:
        """Return the headers that an answer to this request needs, also if it is an error."""
        if not self._origins or method not in READS or not path.startswith(FOR_PAGES):
            return ()
        # A cache must not show one origin the answer to another one, nor to none.
        origin = header("Origin")
        if origin is None or origin not in self._origins:
            return (VARY,)
        return (VARY, ("Access-Control-Allow-Origin", origin), EXPOSED)

    def preflight(self, method: str, path: str, header: Headers) -> Answer | None:
        """Return the answer that allows a browser its request; None for any other request.

        A browser that gets another answer does not send its request.
        """
        if method != "OPTIONS" or not self._origins or not path.startswith(FOR_PAGES):
            return None
        origin = header("Origin")
        if origin is None or origin not in self._origins:
            return None
        if header("Access-Control-Request-Method") not in READS:
            return None
        headers = [VARY, ("Access-Control-Allow-Origin", origin), *PREFLIGHT]
        if header("Access-Control-Request-Private-Network") == "true":
            # The operator named this origin, wherever Milepost is.
            headers.append(("Access-Control-Allow-Private-Network", "true"))
        return Answer(204, headers)
