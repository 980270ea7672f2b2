"""Callbacks that came to a wrong URL, or by a wrong method: which ones are right."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from api.http.callback_paths import CALLBACK_PATHS, OF_ONE_JOB, takes_callbacks

WORDS: Final = ("callback", "hook")
"""Words of paths that senders of callbacks guess."""
BASES: Final = ("/", "/api", "/api/")
"""What a sender has that sets no path, or the start of one."""


def advice(status: int, method: str, path: str, prefix: str) -> str | None:
    """Return what to do about a 404 or 405 of a request that is probably meant as a callback.

    Return None if nothing says that the request is one. Clients see the path behind the prefix.
    """
    if takes_callbacks(path):
        return _of_method(method, prefix) if status == HTTPStatus.METHOD_NOT_ALLOWED else None
    # A 405 is about something else that exists, such as a job whose id has one of the words.
    guessed = status == HTTPStatus.NOT_FOUND and any(word in path.lower() for word in WORDS)
    return _of_url(prefix) if method == "POST" and (guessed or path in BASES) else None


def _of_method(method: str, prefix: str) -> str:
    redirected = (
        "If you did send a POST, a redirect turned it into a GET: send to the URL that the "
        "redirect names. "
    )
    return (
        "This URL takes the callbacks of provisioning workflows, by POST only. "
        f"{redirected if method == 'GET' else ''}The documentation is at {prefix}/api/docs."
    )


def _of_url(prefix: str) -> str:
    webhook, callbacks = (f"{prefix}{path}" for path in CALLBACK_PATHS)
    return (
        f"No callback is taken here. Send it with POST {callbacks} (or {webhook}, which does the "
        f"same), or with POST {prefix}{OF_ONE_JOB}JOB for the job that you registered. The "
        f"documentation is at {prefix}/api/docs."
    )
