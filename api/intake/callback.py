"""From the bytes of an authentic callback to the `Callback` that is recorded.

Almost all callbacks have plain texts only; one pass over the fields is enough for these. Others are
bent to fit (`api/intake/bending.py`), and what was changed is kept and said.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from api.errors import (
    BadRequest,
    InvalidFields,
    MissingJobId,
    MissingStatusOrType,
    UnknownStatus,
)
from api.intake.bending import (
    EARLIEST,
    FIELDS,
    LATEST_AHEAD,
    Unusable,
    benders,
    is_absent,
)
from api.intake.fields_meant import envelope, fields_meant, missing
from api.intake.lenient_json import Body, read_object, storable
from api.intake.plain import PATTERNS
from api.schemas.ids import MAX_ID
from api.schemas.times import time_of
from domain.job.callback import HEARTBEAT, NOT_OF_A_HEARTBEAT, Callback

_JOB_ID: Final = re.compile(rf'"job_id"\s*+:\s*+"([^\x00-\x1f\x7f"\\\ufffd]{{1,{MAX_ID}}})"')
_MAY_BE_WHOLE_NUMBERS: Final = ("workflow_run_id", "run_attempt")


class Taken(NamedTuple):
    """A callback, and what its sender should know of how it was read, in words."""

    callback: Callback
    warnings: tuple[str, ...] = ()


class CallbackReader:
    """Reads callbacks. `clock` bounds the times that senders may give."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._benders = benders(clock)

    def read(self, raw: bytes, job_id: str | None = None) -> Taken:
        """Return the callback in an authentic body, of the job `job_id` if the body names none.

        Raises `InvalidJSON`, `MissingJobId`, `MissingStatusOrType`, `UnknownStatus`, or
        `InvalidFields` for an unusable job_id and for a known field with two different values.
        """
        body = read_object(raw)
        if not body.oddities and (callback := self._plain(body.fields, job_id)):
            extra = callback.extra
            return Taken(callback, tuple(fields_meant(extra, body.fields)) if extra else ())
        return self._bent(body, raw, job_id)

    def job_id_in(self, raw: bytes) -> str | None:
        """Return the job that a body names, None if that cannot be read.

        An envelope names the job of the callback in it. A body that is no object names a job if
        all that looks like a job_id in it is the same.
        """
        try:
            body = read_object(raw)
            if (holder := envelope(body.fields, ("job_id",))) and holder.says_something:
                body = Body(holder.callback)
        except BadRequest:
            named = set(_JOB_ID.findall(raw.decode(errors="replace")))
            return named.pop() if len(named) == 1 else None
        try:
            return self._job_id(body)
        except BadRequest:
            return None

    def _plain(self, fields: Mapping[str, Any], job_id: str | None = None) -> Callback | None:
        """Return the callback if all its known fields are plain, and None if one is not."""
        known: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        for name, value in fields.items():
            pattern = PATTERNS.get(name)
            if pattern is None:
                extra[name] = value
            elif value is not None and value != "":
                if type(value) is int and name in _MAY_BE_WHOLE_NUMBERS:
                    value = str(value)
                if type(value) is not str or not pattern.fullmatch(value):
                    return None
                known[name] = value
        if "job_id" not in known:
            if job_id is None:
                return None
            known["job_id"] = job_id
        if "status" not in known or known.get("type") == HEARTBEAT:
            if known.get("type") != HEARTBEAT or not known.keys().isdisjoint(NOT_OF_A_HEARTBEAT):
                return None
        if "occurred_at" in known:
            try:
                moment = time_of(known["occurred_at"])
            except ValueError:
                return None
            if not EARLIEST <= moment <= self._clock() + LATEST_AHEAD:
                return None
            known["occurred_at"] = moment
        if "run_attempt" in known:
            known["run_attempt"] = int(known["run_attempt"])
        return Callback(**known, extra=extra)

    def _bent(self, body: Body, raw: bytes, default: str | None) -> Taken:
        job_id = self._job_id(body, default)
        given = {name: value for name, value in body.fields.items() if not is_absent(value)}
        known: dict[str, Any] = {}
        bent: dict[str, Any] = {}
        warnings = list(body.oddities)
        ignored: tuple[str, ...] = ()
        if twice := body.contradictory.intersection(FIELDS):
            fault = ["Given twice, with different values."]
            raise InvalidFields(dict.fromkeys(sorted(twice), fault))
        for name in FIELDS:
            if name not in given or name in ignored:
                continue
            try:
                fit = self._benders[name](given[name])
            except Unusable as fault:
                raise UnknownStatus({name: [str(fault)]}) from None
            known[name] = fit.value
            if fit.how:
                bent[name] = given[name]
                warnings.append(f"{name} {fit.how}")
            if name == "type" and fit.value == HEARTBEAT:
                # The first rule that matches wins: what else it carries is kept, not judged.
                ignored = NOT_OF_A_HEARTBEAT
        known["job_id"] = job_id
        if known.get("type") is None and known.get("status") is None:
            raise missing(MissingStatusOrType, body.fields, ("status", "type"))
        if known.get("type") != HEARTBEAT and known.get("status") is None:
            warnings.append(f"type {known['type']!r} is unknown, so it counts as a heartbeat")
            if holder := envelope(body.fields, ("status",)):
                held = f"field {holder.field!r} seems to hold the callback, and is not read"
                warnings.append(held)
        if ignored and (status := given.get("status")) not in (None, "provisioning"):
            warnings.append(
                f"type {HEARTBEAT!r} makes this a heartbeat; its status {_short(status)} counts "
                "for nothing"
            )
        extra = {
            name: value
            for name, value in body.fields.items()
            if name not in FIELDS or (name in ignored and not is_absent(value))
        }
        warnings += fields_meant(extra, body.fields)
        if body.is_broken:
            bent, extra = storable(bent), storable(extra)
        return Taken(
            Callback(
                **known,
                bent=bent,
                raw=base64.b64encode(raw).decode() if body.oddities else None,
                extra=extra,
            ),
            tuple(warnings),
        )

    def _job_id(self, body: Body, default: str | None = None) -> str:
        if "job_id" in body.contradictory:
            raise InvalidFields({"job_id": ["Given twice, with different values."]})
        try:
            given: str | None = self._benders["job_id"](body.fields.get("job_id")).value
        except Unusable as fault:
            raise InvalidFields({"job_id": [str(fault)]}) from None
        if (job_id := given or default) is None:
            raise missing(MissingJobId, body.fields, ("job_id",))
        return job_id


def _short(value: Any) -> str:
    return repr(value[:60] if isinstance(value, str) else value)[:80]
