"""Unknown fields of a callback: which known field their sender may have meant."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import islice
from typing import Any, Final, NamedTuple

from api.errors import BadRequest
from api.intake.bending import FIELDS, is_absent
from domain.job.callback import HEARTBEAT
from domain.job.spelling import MAX_LENGTH, bare, closest

MAX_NAMES: Final = 50
"""How many unknown fields of a callback are compared with the known ones."""
ALIASES: Final = {
    "job": "job_id",
    "runid": "workflow_run_id",
    "githubrunid": "workflow_run_id",
    "githubrunattempt": "run_attempt",
    "stepname": "step",
    "state": "status",
    "timestamp": "occurred_at",
    "eventtime": "occurred_at",
}
"""What else senders call some fields, without case and separators."""
COMMON: Final = {
    "id": "job_id",
    **dict.fromkeys(("result", "outcome", "conclusion"), "status"),
    **dict.fromkeys(("message", "reason", "errormessage"), "error"),
    **dict.fromkeys(("vmid", "instanceid", "machineid"), "server_id"),
}
"""Words that may mean a field where it is missing, and may as well be the sender's own."""


def missing(
    error: type[BadRequest], fields: Mapping[str, Any], wanted: Sequence[str]
) -> BadRequest:
    """Return the error, and say where the missing field may be: misspelt, or within another."""
    if holder := envelope(fields, wanted):
        return error(
            f"{error.__doc__} Field {holder.field!r} seems to hold the callback: "
            "send what is in it as the body."
        )
    for name, meant in _close(fields, fields):
        if meant in wanted:
            return error(f"{error.__doc__} Field {name!r} is unknown; did you mean {meant!r}?")
    if "status" in wanted and not is_absent(fields.get("step")):
        return error(f"{error.__doc__} A step needs the status 'provisioning'.")
    return error()


class Envelope(NamedTuple):
    """An unknown field that seems to hold a callback."""

    field: str
    callback: dict[str, Any]

    @property
    def says_something(self) -> bool:
        """True for a callback with a status or a type."""
        return not all(is_absent(self.callback.get(each)) for each in ("status", "type"))


def envelope(fields: Mapping[str, Any], wanted: Sequence[str]) -> Envelope | None:
    """Return the unknown field that holds an object, or its JSON, with one of these fields.

    None if the fields themselves have one of these.
    """
    if any(not is_absent(fields.get(each)) for each in wanted):
        return None
    for name, value in islice(fields.items(), MAX_NAMES):
        if name in FIELDS:
            continue
        if isinstance(value, str) and value.startswith("{"):
            with suppress(ValueError, RecursionError):
                value = json.loads(value)
        if isinstance(value, dict) and any(not is_absent(value.get(each)) for each in wanted):
            return Envelope(name, value)
    return None


def fields_meant(extra: Mapping[str, Any], fields: Mapping[str, Any]) -> Iterator[str]:
    """Say which unknown fields are close to a known one that the callback does not give."""
    for name, meant in _close(extra, fields):
        if _meant(name) or _would_help(meant, fields):
            yield f"field {name!r} is unknown; did you mean {meant!r}?"


def _would_help(field: str, fields: Mapping[str, Any]) -> bool:
    """Tell whether a callback that is taken would say more with this field."""
    status = None if fields.get("type") == HEARTBEAT else fields.get("status")
    if field == "error":
        return status in ("failed", "cancelled")
    return field == "server_id" and status is not None


def _close(names: Iterable[str], fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Return the unknown fields with the known one that is meant and that `fields` do not give."""
    for name in islice(names, MAX_NAMES):
        if name in FIELDS or len(name) > MAX_LENGTH:
            continue
        meant = _meant(name) or _perhaps_meant(name)
        if meant and is_absent(fields.get(meant)):
            yield name, meant


@lru_cache(maxsize=1024)
def _meant(unknown: str) -> str | None:
    """Return the known field whose name is close to this unknown one, or that is called so."""
    return closest(unknown, FIELDS) or ALIASES.get(bare(unknown))


@lru_cache(maxsize=1024)
def _perhaps_meant(unknown: str) -> str | None:
    """Return the known field that this common word may mean."""
    return COMMON.get(bare(unknown))
