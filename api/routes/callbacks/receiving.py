"""What becomes of a callback: it is verified, read and recorded, or refused and kept."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache, partial
from typing import Any, Final

import msgspec

from api.errors import (
    InvalidFields,
    InvalidJSON,
    InvalidSignature,
    MissingJobId,
    SharedSecretOff,
    UndatedSignature,
    sentence,
)
from api.http.answers import in_json
from api.http.callers.signatures import Sender, verify
from api.http.callers.stranger_log import StrangerLog
from api.http.counting.counters import DUPLICATE, REASONS, RECORDED
from api.http.headers import Headers
from api.http.messages import Answer, Door, Request, Result
from api.intake.bending import identity
from api.intake.callback import CallbackReader, Taken
from api.intake.no_values import NO_VALUES
from api.senders.signing_key import SigningKey
from api.wiring import Services
from domain.errors import MilepostError
from domain.job.callback import Callback, RefusedCallback

log = logging.getLogger("milepost")
SENDERS = StrangerLog(log)

FOR_WORKFLOWS: Final = (
    "This URL is for the callbacks of provisioning workflows: JSON objects with job_id and status."
)
FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
LARGE: Final = 2 * 1024
"""A body of more bytes is read apart: to read an odd one takes up to 1 ms a KiB.

With one job's key, 900 bodies of 16 KiB that ended in one turn of the loop kept a worker from its
sign of life for 10 s, and it was killed.
"""
MOST_HASHED: Final = 1024 * 1024
"""How many bytes of a body are hashed on the event loop, with all keys together.

A body of 1 MiB takes 0.6 ms for each key. With 100 named senders, 600 bodies of 64 KiB in one turn
of the loop kept a worker from its sign of life for 10 s.
"""
REFUSALS: Final = tuple(kind for kind in REASONS if issubclass(kind, MilepostError))


async def receive(request: Request, door: Door, job_id: str | None = None) -> Answer:
    """Verify, read and record a callback; answer with its receipt.

    `job_id` is the job that the URL names, if it names one. A refused callback is kept in the log
    of its job, if it is authentic and names the job.
    """
    services, senders = door.services, door.services.senders
    keys = senders.of_all if job_id is None else senders.of_job(job_id)
    verifying = partial(_sender, request, services, keys, job_id)
    is_much = len(request.body) * len(keys) > MOST_HASHED
    sender = await door.verify_apart(verifying, request) if is_much else verifying()
    if request.header("X-GitHub-Event") == "ping":
        pong = {"received": True, "warning": f"This is GitHub's ping. {FOR_WORKFLOWS}"}
        return in_json(pong)
    try:
        reading = partial(read, request, sender, _reader(services.clock), job_id)
        taken = await _of_body(request, reading, sender, door)
        receipt = await door.record(taken.callback)
    except REFUSALS as error:
        await _keep(error, request, sender, door)
        raise
    (DUPLICATE if receipt.duplicate else RECORDED).inc()
    answer = {
        "received": True,
        "job_id": receipt.job_id,
        "version": receipt.version,
        "position": receipt.position,
        "duplicate": receipt.duplicate,
    }
    warnings = [receipt.warning, *taken.warnings] if receipt.warning else taken.warnings
    if warnings:
        answer["warning"] = "; ".join(warnings)
        SENDERS.warning(
            "odd_callback",
            "callback %s for job %r: %s",
            "delivered again" if receipt.duplicate else "recorded all the same",
            receipt.job_id,
            answer["warning"],
            job_id=receipt.job_id,
        )
    return in_json(answer)


def _sender(
    request: Request, services: Services, keys: Sequence[SigningKey], job_id: str | None
) -> Sender:
    """Return who signed a request that came to the URL of this job, or of every job."""
    senders = services.senders
    try:
        return verify(request.header, request.body, keys, services.clock, dated=senders.dated)
    except InvalidSignature as error:
        is_explained = isinstance(error, UndatedSignature) or (keys and str(error))
        if not (senders.takes_shared or is_explained):
            raise SharedSecretOff from None
        if not str(error) and (cause := _lost_on_the_way(request, job_id)):
            raise InvalidSignature(cause) from None
        raise


def _lost_on_the_way(request: Request, job_id: str | None) -> str | None:
    """Say what became of a request whose signature is wrong, if the request itself tells."""
    encoding = (request.header("Content-Encoding") or "identity").strip().lower()
    if encoding != "identity":
        return (
            f"The body is compressed (Content-Encoding: {encoding[:20]}), and the signature is not "
            "over these bytes. Milepost reads plain bodies only."
        )
    if not request.body:
        return "The request has no body: a redirect or a proxy may have dropped it."
    if job_id is not None and job_id.endswith("/"):
        return f"The URL names the job {job_id!r}, with a slash at its end. No such key signed."
    return None


def read(
    request: Request, sender: Sender, reader: CallbackReader, job_id: str | None = None
) -> Taken:
    """Return the callback of an authentic request, with who signed it; raise a `BadRequest`.

    `job_id` is the job that the URL names. No signature covers a URL, so the body has to name the
    job, too, unless the key is the job's own.
    """
    try:
        callback, warnings = reader.read(request.body, sender.job_id)
    except (InvalidJSON, MissingJobId) as error:
        if stranger := _stranger(request):
            raise type(error)(f"{sentence(error)} {stranger} {FOR_WORKFLOWS}") from None
        raise
    if job_id is not None and callback.job_id != job_id:
        raise InvalidFields({"job_id": [f"Not the job of this URL, which is {job_id!r}."]})
    named, odd = _delivery(request.header, sender, callback)
    return Taken(
        msgspec.structs.replace(
            callback,
            signed_by=sender.signed_by,
            digest=hashlib.sha256(request.body).hexdigest(),
            size=len(request.body),
            mandate=sender.mandate,
            **named,
        ),
        (*warnings, *odd),
    )


def _stranger(request: Request) -> str | None:
    """Say what a request is that is no callback, if its headers and its body tell."""
    if event := request.header("X-GitHub-Event"):
        return f"This is an event of GitHub's own webhooks, {event[:60]!r}."
    encoding = (request.header("Content-Encoding") or "identity").strip().lower()
    if encoding != "identity":
        return f"The body is compressed (Content-Encoding: {encoding[:20]})."
    is_form = (request.header("Content-Type") or "").lower().startswith(FORMS)
    # `curl -d` calls every body a form.
    is_json = request.body.lstrip().startswith((b"{", b"["))
    return "This is a form." if is_form and not is_json and b"=" in request.body else None


async def _of_body(
    request: Request, work: Callable[[], Result], sender: Sender, door: Door
) -> Result:
    """Return what is made of a body: at once of a small one, apart of a large one."""
    if len(request.body) > LARGE:
        return await door.read_apart(work, request, sender.job_id)
    return work()


async def _keep(error: MilepostError, request: Request, sender: Sender, door: Door) -> None:
    reading = partial(_refusal, error, request, sender, _reader(door.services.clock))
    if refused := await _of_body(request, reading, sender, door):
        await door.keep_refusal(refused)


def _refusal(
    error: MilepostError, request: Request, sender: Sender, reader: CallbackReader
) -> RefusedCallback | None:
    """Return a refused callback as it is kept; None if it names no job. Log it.

    The job is the one that the signature vouches for: that of the key, or of the body.
    """
    reason, detail = REASONS[type(error)], sentence(error)
    job_id = sender.job_id or reader.job_id_in(request.body)
    said = "callback refused (%s) for job %r: %s"
    SENDERS.warning(reason, said, reason, job_id, detail, job_id=job_id)
    if job_id is None:
        return None
    return RefusedCallback(
        job_id=job_id,
        reason=reason,
        detail=detail,
        body=request.body,
        signed_by=sender.signed_by,
        callback_id=sender.callback_id,
        digest=hashlib.sha256(request.body).hexdigest(),
        mandate=sender.mandate,
    )


def _delivery(
    header: Headers, sender: Sender, callback: Callback
) -> tuple[dict[str, Any], Sequence[str]]:
    """Return the delivery's id, and what is odd about it.

    Prefer the signed ids (webhook-id, then callback_id in the body) to Idempotency-Key, which no
    signature covers.
    """
    if signed := sender.callback_id:
        fit = identity(signed)
        odd = [f"webhook-id {fit.how}"] if fit.how else []
        if callback.callback_id:
            extra = {**callback.extra, "callback_id": callback.callback_id}
            return {"callback_id": fit.value, "id_signed": True, "extra": extra}, odd
        return {"callback_id": fit.value, "id_signed": True}, odd
    if callback.callback_id:
        return {"id_signed": True}, ()
    if (key := (header("Idempotency-Key") or "").strip()) in NO_VALUES:
        return {}, [f"Idempotency-Key {key!r} stands for no value and was left out"] if key else ()
    if not key.isascii():
        return {}, ["Idempotency-Key was left out: it is not ASCII"]
    fit = identity(key)
    odd = [f"Idempotency-Key {fit.how}"] if fit.how else []
    if "," in key:
        # Servers join the values of a header that comes twice, and a redelivery may have one only.
        odd.append(f"Idempotency-Key has a comma, so {key[:60]!r} is one id; send the header once")
    return {"callback_id": fit.value, "id_signed": False}, odd


@lru_cache(maxsize=1)
def _reader(clock: Callable[[], datetime]) -> CallbackReader:
    # Making a reader costs more than using it.
    return CallbackReader(clock)
