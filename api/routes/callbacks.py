"""Callbacks: what workflows post (seed contract, "Callbacks")."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final

import msgspec

from api.http.answers import in_json
from api.http.flask_side.blueprint import Blueprint
from api.http.flask_side.door import through_flask
from api.http.headers import UNREADABLE, Headers
from api.http.idempotency import parameter
from api.http.messages import Answer, Door, Request
from api.http.signatures import Sender, verify
from api.intake.bending import identity
from api.intake.callback import CallbackReader, Taken
from api.routes.metrics import DUPLICATE, RECORDED
from api.schemas.answers import ReceiptSchema
from api.schemas.requests import CallbackSchema
from api.wiring import Services
from domain.job.callback import Callback

log = logging.getLogger("milepost")

bp = Blueprint("callbacks", __name__, description="What workflows post; signed, without a token")

PATHS: Final = ("/api/webhooks/github", "/api/callbacks")
_DOC: Final = {
    "parameters": [parameter("Names this delivery, as callback_id in the body does")],
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


@bp.route(PATHS[0], methods=["POST"], endpoint="webhook")
@bp.route(PATHS[1], methods=["POST"], endpoint="receive")
@bp.doc(**_DOC)
@bp.response(200, ReceiptSchema)
@bp.problem(400, "Malformed")
@bp.problem(401, "Invalid signature")
@bp.problem(409, "Callback id used with another body")
@bp.problem(413, "Larger than 1 MiB")
@bp.problem(503, "Not stored now; try again")
def webhook() -> Answer:
    """Record a callback; both routes do the same."""
    return through_flask(receive)


async def receive(request: Request, door: Door) -> Answer:
    """Verify, read and record a callback; answer with its receipt."""
    taken = authentic(request.header, request.body, door.services)
    receipt = await door.record(taken.callback)
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
        log.warning("callback recorded all the same: %s", answer["warning"])
    return in_json(answer)


def authentic(header: Headers, body: bytes, here: Services) -> Taken:
    """Return the callback that these bytes are, with who signed it; raise a `BadRequest`."""
    sender = verify(header, body, here.settings.callback_secrets, here.clock)
    callback, warnings = _reader(here.clock).read(body)
    named, odd = _delivery(header, sender, callback)
    return Taken(
        msgspec.structs.replace(
            callback,
            signed_by=sender.signed_by,
            digest=hashlib.sha256(body).hexdigest(),
            **named,
        ),
        (*warnings, *odd),
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
            return {"callback_id": fit.value, "extra": extra}, odd
        return {"callback_id": fit.value}, odd
    if callback.callback_id:
        return {}, ()
    if not (key := (header("Idempotency-Key") or "").strip()):
        return {}, ()
    if key == UNREADABLE or not key.isascii():
        return {}, ["Idempotency-Key was left out: it is not ASCII"]
    fit = identity(key)
    return {"callback_id": fit.value}, [f"Idempotency-Key {fit.how}"] if fit.how else ()


@cache
def _reader(clock: Callable[[], datetime]) -> CallbackReader:
    # Making a reader costs more than using it.
    return CallbackReader(clock)
