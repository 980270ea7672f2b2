"""Errors of requests; each docstring is the error's message.

`api/http/problems/kinds.py` pairs each error with a status code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from domain.errors import MilepostError, StoreUnavailable


class BadRequest(MilepostError):
    """The request cannot be used as it is."""


class InvalidSignature(BadRequest):
    """The signature is missing, malformed or wrong."""

    def __init__(self, message: str = "", *, by_holder: bool = False) -> None:
        super().__init__(*([message] if message else []))
        self.by_holder = by_holder
        """True if the signature shows that its sender has the secret, and slipped."""


class UndatedSignature(InvalidSignature):
    """This server takes only signatures with a time (MILEPOST_SIGNATURES=dated)."""


class SharedSecretOff(InvalidSignature):
    """This server takes no shared secret (MILEPOST_SHARED_SECRET=off), and no other key signed."""


class InvalidJSON(BadRequest):
    """The body is not a JSON object."""


class MissingJobId(BadRequest):
    """The callback has no job_id."""


class MissingStatusOrType(BadRequest):
    """The callback has neither a status nor the type "heartbeat"."""


class InvalidFields(BadRequest):
    """Some fields have values that cannot be used.

    `fields` maps each field to its faults.
    """

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.fields = fields
        super().__init__("; ".join(_sentences(fields)))


class UnknownStatus(InvalidFields):
    """The callback's status is not one of the known ones."""


class MissingToken(BadRequest):
    """A bearer token is needed."""


class InvalidToken(BadRequest):
    """The bearer token is unknown, malformed or revoked."""


class InvalidSession(BadRequest):
    """The browser's session has ended."""


class InvalidLink(BadRequest):
    """The link is not for this address, has expired, or its token is no longer valid."""


class NoLinkSecret(MilepostError):
    """There is no secret to sign links with."""


class ForeignForm(BadRequest):
    """The form was not sent by a page of this session."""


class MissingScope(BadRequest):
    """The bearer token does not allow this."""


class AgentNotFound(MilepostError):
    """There is no agent with this id that you may see."""


class ReadModelBehind(MilepostError):
    """The read model has not reached this position yet."""


class NotWriting(MilepostError):
    """Callbacks cannot be stored now.

    `reason` is a word of a fixed list, `seconds` how long ago it began or was seen.
    """

    def __init__(self, reason: str = "away", seconds: float = 0) -> None:
        self.reason, self.seconds = reason, round(seconds, 1)
        what = NOT_WRITING[reason].format(f"{self.seconds:g} s")
        super().__init__(f"Callbacks cannot be stored: {what}.")


NOT_WRITING: Final = {
    "hanging": "a commit has been under way for {}",
    "disk_full": "the database's disk was full {} ago",
    "read_only": "the database was read-only {} ago",
    "forbidden": "the database's account lacked a right {} ago",
    "not_replicated": "a commit {} ago may not have reached the standby",
    "file_replaced": "the database's file was found replaced or removed {} ago",
    "busy": "somebody else held a lock for too long {} ago",
    "no_tables": "a table was missing {} ago",
    "away": "the database did not answer {} ago",
}
"""What each reason means, for anybody who may ask; the log has the database's own words."""


class Draining(MilepostError):
    """The server is shutting down, and answers only requests that it had accepted before."""


class TooManyConnections(MilepostError):
    """There are more connections, of this address or in all, than the server may have."""


class TooManyStreams(MilepostError):
    """The server has as many open streams as it may have."""


class NoStreams(MilepostError):
    """This server cannot stream: a stream would hold one of its few threads."""


class TooManyRequests(MilepostError):
    """Requests of this user, token or address take more than their share of the places to wait."""


class TooManyBytes(MilepostError):
    """The server has no room for so many large requests, and this one has taken the longest."""


class EventNotFound(MilepostError):
    """The job has no event with this version."""


class NoCheckpointKey(MilepostError):
    """There is no key to sign checkpoints with."""


def sentence(error: MilepostError) -> str:
    """Return the error's message: its own, or the first line of its class's docstring.

    For a `StoreUnavailable` it is always the docstring: the database's own message names hosts and
    files, so it belongs in the log only.
    """
    message = "" if isinstance(error, StoreUnavailable) else str(error)
    return message or (type(error).__doc__ or "").strip().splitlines()[0]


def _sentences(faults: Any, path: str = "") -> Sequence[str]:
    if isinstance(faults, Mapping):
        return [
            line
            for name, inner in faults.items()
            for line in _sentences(inner, f"{path}.{name}" if path else str(name))
        ]
    reasons = faults if isinstance(faults, list) else [faults]
    return [f"{path}: {' '.join(str(reason) for reason in reasons)}"]
