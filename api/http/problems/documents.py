"""Problem details (RFC 9457): each error becomes a document of its kind."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

import msgspec
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from api import errors as asked
from api.errors import sentence
from api.http.callback_paths import takes_callbacks
from api.http.callers.stranger_log import StrangerLog
from api.http.counting.counters import REASONS, REFUSED
from api.http.flask_side.blueprint import PROBLEM
from api.http.messages import Answer
from api.http.problems.kinds import KINDS, Kind
from api.http.problems.misdirected import advice
from domain import errors as domain
from domain.errors import MilepostError
from domain.log.vouching.contract import NotDurableYet
from projections.read_model.contract import PositionGone

log = logging.getLogger("milepost.api")
STRANGERS = StrangerLog(log)

PREFIX = "urn:milepost:problem:"
RETRY_AFTER_SECONDS = 2
MAX_PATH = 200
"""A path in a log line has at most this many characters."""
UNAVAILABLE: Final[dict[type[MilepostError], str]] = {
    domain.QueueFull: "queue_full",
    domain.StoreUnavailable: "store_unavailable",
    NotDurableYet: "not_durable",
    PositionGone: "store_unavailable",
}
"""The reasons of log lines about what passes. Each reason has lines of its own."""
IN_A_PATH: Final = "/:@!$&'()*+,;=~"
BY_TOKEN: Final = ("WWW-Authenticate", 'Bearer realm="milepost"')
BY_SIGNATURE: Final = (
    "WWW-Authenticate",
    'Signature realm="milepost", headers="X-Signature X-Hub-Signature-256 webhook-signature"',
)
"""How a request is authenticated. RFC 9110 wants this with every 401."""
BY_SIGNERS: Final = ("invalid-signature", "undated-signature", "shared-secret-off")
"""The problems of requests that a signature authenticates."""
TOO_LARGE = (
    "The body is larger than 1 MiB (1,048,576 bytes), the most that Milepost takes. "
    "Send the end of a long log only."
)


def problem_of(error: Exception, method: str, path: str, prefix: str = "") -> Answer:
    """Return the problem document of an error that a view raised for this method and path.

    Clients see the path behind the prefix. Count the error, if it refuses a callback.
    """
    if method == "POST" and takes_callbacks(path) and (counter := REFUSED.get(type(error))):
        counter.inc()
    if isinstance(error, MilepostError) and type(error) in KINDS:
        return _explained(error, method, path, prefix)
    if isinstance(error, HTTPException):
        return _from_http(error, method, path, prefix)
    return _unexplained(error, method, path, prefix)


def problem(
    status: int, slug: str, title: str, detail: str, instance: str | None, **members: object
) -> Answer:
    """Return a problem document without the members that are None."""
    document = {"type": PREFIX + slug, "title": title, "status": int(status), "detail": detail}
    document |= {"instance": instance, **members}
    body = msgspec.json.encode({k: v for k, v in document.items() if v not in (None, "")})
    # Without this, a cache may store a 404, and answer it to who may see the thing.
    headers = [("Content-Type", PROBLEM), ("Cache-Control", "no-store")]
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append(("Retry-After", str(RETRY_AFTER_SECONDS)))
    if status == HTTPStatus.UNAUTHORIZED:
        headers.append(BY_SIGNATURE if slug in BY_SIGNERS else BY_TOKEN)
    return Answer(int(status), headers, body + b"\n")


def _uri(prefix: str, path: str) -> str | None:
    """Return a path as a reference that RFC 3986 allows; None for what is no path, such as `*`."""
    if not path.startswith("/"):
        return None
    whole = prefix + path
    # What follows two slashes would be a host.
    return ("/." if whole.startswith("//") else "") + quote(whole, safe=IN_A_PATH)


def _ended(message: str) -> str:
    # The command line prints the same sentences as one line, without a full stop.
    return message if message.endswith((".", "?", "!")) else f"{message}."


def _explained(error: MilepostError, method: str, path: str, prefix: str) -> Answer:
    kind, detail = explained(error, method, path)
    fields = error.fields if isinstance(error, asked.InvalidFields) else None
    possible = error.possible if isinstance(error, domain.NotPossible) else None
    members: dict[str, object] = {"error": kind.error, "errors": fields, "possible": possible}
    if isinstance(error, asked.NotWriting):
        members |= {"reason": error.reason, "seconds": error.seconds}
    instance = _uri(prefix, path)
    answer = problem(kind.status, kind.slug, kind.title, detail, instance, **members)
    if kind.passes and kind.status != HTTPStatus.SERVICE_UNAVAILABLE:
        return _with(answer, [("Retry-After", str(RETRY_AFTER_SECONDS))])
    return answer


def explained(error: MilepostError, method: str, path: str) -> tuple[Kind, str]:
    """Return the kind of an error of `KINDS`, and what happened with advice; log it if need be."""
    kind = KINDS[type(error)]
    if isinstance(error, asked.InvalidSignature):
        # A sender that has the secret must find its slip in the log, whatever strangers send.
        reason = "sender_slip" if error.by_holder else REASONS[asked.InvalidSignature]
        STRANGERS.warning(reason, "%s %r: %s", method, path[:MAX_PATH], sentence(error))
    if isinstance(error, domain.Unavailable):
        # Strangers can fill their threads, and may ask for the health of a database that is away.
        cause = str(error) or sentence(error)
        STRANGERS.error(UNAVAILABLE[type(error)], "%s %r: %s", method, path[:MAX_PATH], cause)
    return kind, " ".join(part for part in (_ended(sentence(error)), kind.advice) if part)


def _from_http(error: HTTPException, method: str, path: str, prefix: str) -> Answer:
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    # Werkzeug has an older phrase for 413 than RFC 9110.
    title = "Content Too Large" if status == 413 else error.name
    slug = title.lower().replace(" ", "-")
    ours = ("content-type", "content-length")
    theirs = [pair for pair in error.get_headers() if pair[0].lower() not in ours]
    detail = error.description or ""
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        detail = TOO_LARGE
        STRANGERS.warning(REASONS[RequestEntityTooLarge], "%r: %s", path[:MAX_PATH], detail)
    elif where := advice(status, method, path, prefix):
        detail = where
        STRANGERS.warning(
            "misdirected", "%s %r: no callback is taken here", method, path[:MAX_PATH]
        )
    return _with(problem(status, slug, title, detail, _uri(prefix, path)), theirs)


def _unexplained(error: Exception, method: str, path: str, prefix: str) -> Answer:
    # A bug of Milepost: the traceback goes to the log, never to the client.
    log.exception("%s %r", method, path, exc_info=error)
    return problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "internal-error",
        "Internal error",
        "Something went wrong inside Milepost; the log has the details.",
        _uri(prefix, path),
    )


def _with(answer: Answer, headers: Sequence[tuple[str, str]]) -> Answer:
    return answer._replace(headers=[*answer.headers, *headers])
