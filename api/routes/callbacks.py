"""Callbacks: what workflows post (seed contract, "Callbacks")."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any, Final

import msgspec
from marshmallow import ValidationError

from api.errors import InvalidFields, MissingJobId, MissingStatusOrType, UnknownStatus
from api.http.answers import in_json
from api.http.flask_side.blueprint import Blueprint
from api.http.flask_side.door import through_flask
from api.http.headers import Headers
from api.http.idempotency import checked, idempotency_key, parameter
from api.http.messages import Answer, Door, Request
from api.http.signatures import Sender, verify
from api.intake.strict_json import parse_object
from api.routes.metrics import DUPLICATE, RECORDED
from api.schemas.answers import ReceiptSchema
from api.schemas.requests import CallbackSchema
from api.wiring import Services
from domain.job.callback import Callback

log = logging.getLogger("milepost")

bp = Blueprint("callbacks", __name__, description="What workflows post; signed, without a token")

PATHS: Final = ("/api/webhooks/github", "/api/callbacks")
NOT_OF_A_HEARTBEAT: Final = (
    "status",
    "step",
    "error",
    "failed_step",
    "server_id",
    "server_ip",
    "tailscale_ip",
)
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
@bp.problem(413, "Larger than 64 KiB")
@bp.problem(503, "Not stored now; try again")
def webhook() -> Answer:
    """Record a callback; both routes do the same."""
    return through_flask(receive)


async def receive(request: Request, door: Door) -> Answer:
    """Verify, load and record a callback; answer with its receipt."""
    receipt = await door.record(authentic(request.header, request.body, door.services))
    (DUPLICATE if receipt.duplicate else RECORDED).inc()
    answer = {
        "received": True,
        "job_id": receipt.job_id,
        "version": receipt.version,
        "position": receipt.position,
        "duplicate": receipt.duplicate,
    }
    if receipt.warning:
        log.warning("callback recorded all the same: %s", receipt.warning)
        answer["warning"] = receipt.warning
    return in_json(answer)


def authentic(header: Headers, body: bytes, here: Services) -> Callback:
    """Return the callback that these bytes are, with who signed it; raise a `BadRequest`."""
    sender = verify(header, body, here.settings.callback_secrets, here.clock)
    callback = load(parse_object(body), _schema(here.clock))
    return msgspec.structs.replace(
        callback,
        signed_by=sender.signed_by,
        **_delivery(header, sender, callback),
        digest=hashlib.sha256(body).hexdigest(),
    )


def _delivery(header: Headers, sender: Sender, callback: Callback) -> dict[str, Any]:
    # Prefer the signed ids (webhook-id, then callback_id in the body) to Idempotency-Key, which no
    # signature covers.
    signed = checked("webhook-id", sender.callback_id) if sender.callback_id else None
    if signed and callback.callback_id:
        return {
            "callback_id": signed,
            "extra": {**callback.extra, "callback_id": callback.callback_id},
        }
    return {"callback_id": signed or callback.callback_id or idempotency_key(header)}


@cache
def _schema(clock: Callable[[], datetime]) -> CallbackSchema:
    # Making a schema costs more than using it.
    return CallbackSchema(clock)


def load(body: dict[str, Any], schema: CallbackSchema) -> Callback:
    """Load a callback, or raise the seed contract's error for what is wrong with it."""
    if body.get("job_id") in (None, ""):
        raise MissingJobId
    if body.get("type") in (None, "") and body.get("status") in (None, ""):
        raise MissingStatusOrType
    unread: dict[str, Any] = {}
    if body.get("type") == "heartbeat":
        # The first rule that matches wins: what else a heartbeat carries is kept, not judged.
        unread = {name: body[name] for name in NOT_OF_A_HEARTBEAT if name in body}
        body = {name: value for name, value in body.items() if name not in unread}
    try:
        callback: Callback = schema.load(body)
    except ValidationError as error:
        faults: dict[str, Any] = error.messages_dict
        if isinstance(body.get("status"), str) and "status" in faults:
            raise UnknownStatus(faults) from None
        raise InvalidFields(faults) from None
    if callback.type != "heartbeat" and callback.status is None:
        raise InvalidFields({"type": [f"Unknown type {callback.type!r}; known is 'heartbeat'."]})
    return msgspec.structs.replace(callback, extra={**callback.extra, **unread})
