"""Callbacks: what workflows post (seed contract, "Callbacks")."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache, partial
from typing import Any, Final

import msgspec

from api.errors import InvalidJSON, MissingJobId, sentence
from api.http.answers import in_json
from api.http.counters import DUPLICATE, REASONS, RECORDED
from api.http.flask_side.blueprint import Blueprint
from api.http.flask_side.door import through_flask
from api.http.headers import Headers
from api.http.idempotency import parameter
from api.http.messages import Answer, Door, Request, Result
from api.http.problems import CALLBACK_PATHS
from api.http.signatures import Sender, verify
from api.intake.bending import identity
from api.intake.callback import CallbackReader, Taken
from api.schemas.answers import ReceiptSchema
from api.schemas.requests import CallbackSchema
from domain.errors import MilepostError
from domain.job.callback import Callback, RefusedCallback

log = logging.getLogger("milepost")

bp = Blueprint("callbacks", __name__, description="What workflows post; signed, without a token")

FOR_WORKFLOWS: Final = (
    "This URL is for the callbacks of provisioning workflows: JSON objects with job_id and status."
)
FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
LARGE: Final = 16 * 1024
"""A body of more bytes is read apart: to read an odd one of 1 MiB takes up to 3 s."""
REFUSALS: Final = tuple(kind for kind in REASONS if issubclass(kind, MilepostError))
_DOC: Final = {
    "parameters": [
        parameter(
            "Names this delivery together with its body: no signature covers the header. "
            "A signed id is better: webhook-id, or callback_id in the body"
        )
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": CallbackSchema,
                "example": {"job_id": "job-1", "status": "provisioning", "step": "vm_created"},
            }
        },
    },
    "security": [{"x-signature": []}, {"x-hub-signature-256": []}, {"standard-webhooks": []}],
}


@bp.route(CALLBACK_PATHS[0], methods=["POST"], endpoint="webhook")
@bp.route(CALLBACK_PATHS[1], methods=["POST"], endpoint="receive")
@bp.doc(**_DOC)
@bp.response(200, ReceiptSchema)
@bp.problem(400, "Malformed")
@bp.problem(401, "Invalid signature")
@bp.problem(409, "Signed callback id used with another body")
@bp.problem(413, "Larger than 1 MiB")
@bp.problem(503, "Not stored now; try again")
def webhook() -> Answer:
    """Record a callback; both routes do the same."""
    return through_flask(receive)


async def receive(request: Request, door: Door) -> Answer:
    """Verify, read and record a callback; answer with its receipt.

    A refused one is kept in the log of its job, if it is authentic and names the job.
    """
    services = door.services
    settings = services.settings
    sender = verify(
        request.header,
        request.body,
        settings.callback_secrets,
        services.clock,
        dated=settings.dated_signatures,
    )
    if request.header("X-GitHub-Event") == "ping":
        return in_json({"received": True, "warning": f"This is GitHub's ping. {FOR_WORKFLOWS}"})
    try:
        reading = partial(read, request, sender, _reader(services.clock))
        taken = await _of_body(request.body, reading, door)
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
        log.warning(
            "callback recorded all the same for job %r: %s", receipt.job_id, answer["warning"]
        )
    return in_json(answer)


def read(request: Request, sender: Sender, reader: CallbackReader) -> Taken:
    """Return the callback of an authentic request, with who signed it; raise a `BadRequest`."""
    try:
        callback, warnings = reader.read(request.body)
    except (InvalidJSON, MissingJobId) as error:
        if stranger := _stranger(request):
            raise type(error)(f"{sentence(error)} {stranger} {FOR_WORKFLOWS}") from None
        raise
    named, odd = _delivery(request.header, sender, callback)
    return Taken(
        msgspec.structs.replace(
            callback,
            signed_by=sender.signed_by,
            digest=hashlib.sha256(request.body).hexdigest(),
            size=len(request.body),
            **named,
        ),
        (*warnings, *odd),
    )


def _stranger(request: Request) -> str | None:
    """Say what a request is that is no callback, if its headers and its body tell."""
    if event := request.header("X-GitHub-Event"):
        return f"This is an event of GitHub's own webhooks, {event[:60]!r}."
    is_form = (request.header("Content-Type") or "").lower().startswith(FORMS)
    # `curl -d` calls every body a form.
    is_json = request.body.lstrip().startswith((b"{", b"["))
    return "This is a form." if is_form and not is_json and b"=" in request.body else None


async def _of_body(body: bytes, work: Callable[[], Result], door: Door) -> Result:
    """Return what is made of a body: at once of a small one, apart of a large one."""
    return await door.apart(work) if len(body) > LARGE else work()


async def _keep(error: MilepostError, request: Request, sender: Sender, door: Door) -> None:
    reading = partial(_refusal, error, request, sender, _reader(door.services.clock))
    if refused := await _of_body(request.body, reading, door):
        await door.keep_refusal(refused)


def _refusal(
    error: MilepostError, request: Request, sender: Sender, reader: CallbackReader
) -> RefusedCallback | None:
    """Return a refused callback as it is kept; None if it names no job. Log it in any case."""
    reason, detail = REASONS[type(error)], sentence(error)
    job_id = reader.job_id_in(request.body)
    log.warning("callback refused (%s) for job %r: %s", reason, job_id, detail)
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
    if not (key := (header("Idempotency-Key") or "").strip()):
        return {}, ()
    if not key.isascii():
        return {}, ["Idempotency-Key was left out: it is not ASCII"]
    fit = identity(key)
    odd = [f"Idempotency-Key {fit.how}"] if fit.how else []
    return {"callback_id": fit.value, "id_signed": False}, odd


@cache
def _reader(clock: Callable[[], datetime]) -> CallbackReader:
    # Making a reader costs more than using it.
    return CallbackReader(clock)
