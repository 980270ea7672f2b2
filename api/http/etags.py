"""Conditional reads: a strong ETag without a body, so that a 304 costs none (RFC 9110)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

from werkzeug.http import parse_etags, quote_etag

from api.http.headers import Headers, header
from api.http.messages import Answer
from projections.read_model.contract import SHAPE

LASTING_SECONDS = 300


@lru_cache(maxsize=8)
def _of_definitions(fingerprint: str) -> str:
    return hashlib.sha256(fingerprint.encode()).hexdigest()[:8]


def etag(position: int, fingerprint: str, *varying: object) -> str:
    """Return a tag that changes whenever the representation does.

    `position` is that of the last event in it: unlike a job's version, it also changes when an
    agent gets a new job. `fingerprint` stands for the workflow definitions, `varying` for what
    changes with time.
    """
    parts = (position, SHAPE, _of_definitions(fingerprint), *varying)
    return ".".join(str(part) for part in parts if part is not None)


def not_modified(
    tag: str, headers: Sequence[tuple[str, str]] = (), header: Headers = header
) -> Answer | None:
    """Return a 304 if the client has this representation already, else None.

    `header` are the request's headers; Flask's present request has them if it is left out.
    """
    return Answer(304, headers or tagged(tag)) if is_known(tag, header) else None


def is_known(tag: str, header: Headers) -> bool:
    """Tell whether the client has this representation already."""
    condition = header("If-None-Match")
    if condition is None:
        return False
    # Almost always it is the one tag that we gave; otherwise a list of tags, compared weakly, as
    # If-None-Match is: a proxy that compresses makes our tag weak.
    return condition == quote_etag(tag) or parse_etags(condition).contains_weak(tag)


def tagged(tag: str) -> list[tuple[str, str]]:
    """Return the headers of an answer with this tag; caches must ask again every time."""
    return [("ETag", quote_etag(tag)), ("Cache-Control", "private, no-cache")]


def lasting(tag: str) -> list[tuple[str, str]]:
    """Return the headers of an answer about what cannot change any more.

    For some minutes only, because how it is shown can: by other workflow definitions, or another
    release. `Vary`, so that a cache of several callers asks again for each.
    """
    return [
        ("ETag", quote_etag(tag)),
        ("Cache-Control", f"private, max-age={LASTING_SECONDS}, immutable"),
        ("Vary", "Authorization"),
    ]
