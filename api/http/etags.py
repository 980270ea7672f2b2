"""Conditional requests (RFC 9110): a strong ETag is made without the body.

So a 304 makes no body, and a command can be bound to the state that its sender has read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from werkzeug.http import parse_etags, quote_etag

from api.http.headers import Headers, header
from api.http.messages import Answer
from domain.errors import JobChanged
from projections.read_model.contract import SHAPE
from projections.views.instance import Instance

LASTING_SECONDS = 300
STATE_PARTS: Final = 3
"""How many parts of a tag change with the state, the release and the definitions only."""
MAX_CONDITION: Final = 4096
"""In a longer condition no tag is looked for, so it holds for none.

To read 60 KiB of tags takes the event loop 25 ms."""
IF_MATCH: Final = {
    "in": "header",
    "name": "If-Match",
    "schema": {"type": "string"},
    "description": "An ETag of the job or its instance; 412 if the job has changed since",
}
"""The parameter of a command, for OpenAPI."""


@lru_cache(maxsize=8)
def _of_definitions(fingerprint: str) -> str:
    return hashlib.sha256(fingerprint.encode()).hexdigest()[:8]


def etag(position: int, fingerprint: str, *varying: object) -> str:
    """Return a tag that changes whenever the representation changes.

    `position` is the position of the last event in the representation: unlike a job's version, it
    also changes when an agent gets a new job. `fingerprint` identifies the workflow definitions;
    `varying` are values that change with time.
    """
    tag = f"{position}.{SHAPE}.{_of_definitions(fingerprint)}"
    for part in varying:
        if part is not None:
            tag = f"{tag}.{part}"
    return tag


def not_modified(
    tag: str, headers: Sequence[tuple[str, str]] = (), header: Headers = header
) -> Answer | None:
    """Return a 304 if the client has this representation already, else None.

    `header` reads the request's headers; by default, those of Flask's present request.
    """
    return Answer(304, headers or tagged(tag)) if is_known(tag, header) else None


def is_known(tag: str, header: Headers) -> bool:
    """Tell whether the client has this representation already."""
    condition = header("If-None-Match")
    if condition is None:
        return False
    # Almost every client sends exactly our tag. A list of tags is compared weakly, as RFC 9110
    # says for If-None-Match, because a proxy that compresses makes our tag weak.
    if condition == quote_etag(tag):
        return True
    return len(condition) <= MAX_CONDITION and parse_etags(condition).contains_weak(tag)


def expected_version(instance: Instance, fingerprint: str) -> int | None:
    """Return the version that a command's If-Match binds it to; None without a condition.

    Raises `JobChanged` unless the header has the tag of this state. The uptime and the health in a
    tag change by themselves, so they need not be those of now.
    """
    condition = header("If-Match")
    if condition is None:
        return None
    if len(condition) > MAX_CONDITION:
        raise JobChanged
    tags = parse_etags(condition)
    state = etag(instance.position, fingerprint)
    # A malformed header may give a tag that is None.
    given = {_without_varying(tag) for tag in tags.as_set() if tag}
    if tags.star_tag:
        return None
    if state not in given:
        raise JobChanged
    return instance.version


def _without_varying(tag: str) -> str:
    return ".".join(tag.split(".")[:STATE_PARTS])


def tagged(tag: str) -> list[tuple[str, str]]:
    """Return the headers of an answer with this tag; a cache must ask again every time."""
    return [("ETag", quote_etag(tag)), ("Cache-Control", "private, no-cache")]


def lasting(tag: str) -> list[tuple[str, str]]:
    """Return the headers of an answer about the past, which a cache may use for 300 s.

    The state cannot change any more, but its representation can, with other workflow definitions
    or another release. `Vary` makes a cache that several callers share ask again for each caller.
    """
    return [
        ("ETag", quote_etag(tag)),
        ("Cache-Control", f"private, max-age={LASTING_SECONDS}, immutable"),
        ("Vary", "Authorization, Cookie"),
    ]
