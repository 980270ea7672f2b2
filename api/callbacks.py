"""Callbacks: what workflows post (seed contract, "Callbacks")."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any, Final

import msgspec
from flask import Response, request
from marshmallow import ValidationError

from api.access import services
from api.blueprint import Blueprint
from api.bodies import whole_body
from api.errors import InvalidFields, MissingJobId, MissingStatusOrType, UnknownStatus
from api.idempotency import checked, idempotency_key
from api.json_body import parse_object
from api.metrics import CALLBACKS
from api.schemas import CallbackSchema, ReceiptSchema
from api.signatures import Sender, verify
from domain.callback import Callback

bp = Blueprint("callbacks", __name__, description="What workflows post; signed, without a token")

_DOC: Final = {
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


@bp.route("/api/webhooks/github", methods=["POST"], endpoint="webhook")
@bp.route("/api/callbacks", methods=["POST"])
@bp.doc(**_DOC)
@bp.response(200, ReceiptSchema)
@bp.problem(400, "Malformed")
@bp.problem(401, "Invalid signature")
@bp.problem(409, "Callback id used with another body")
@bp.problem(413, "Larger than 64 KiB")
@bp.problem(503, "Not stored now; try again")
def receive() -> Response:
    """Record a callback."""
    body = whole_body()
    here = services()
    sender = verify(request.headers, body, here.settings.callback_secrets, here.clock())
    callback = load(parse_object(body), _schema(here.clock))
    receipt = here.milepost.record(
        msgspec.structs.replace(
            callback,
            signed_by=sender.signed_by,
            callback_id=_delivery_id(sender) or callback.callback_id,
            digest=hashlib.sha256(body).hexdigest(),
        )
    )
    CALLBACKS.labels("duplicate" if receipt.duplicate else "recorded").inc()
    answer = {
        "received": True,
        "job_id": receipt.job_id,
        "version": receipt.version,
        "position": receipt.position,
        "duplicate": receipt.duplicate,
    }
    if receipt.warning:
        answer["warning"] = receipt.warning
    return Response(msgspec.json.encode(answer) + b"\n", mimetype="application/json")


def _delivery_id(sender: Sender) -> str | None:
    # The signed id goes before one that anybody could have put on the way.
    if sender.callback_id:
        return checked("webhook-id", sender.callback_id)
    return idempotency_key()


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
    try:
        callback: Callback = schema.load(body)
    except ValidationError as error:
        faults: dict[str, Any] = error.messages_dict
        if isinstance(body.get("status"), str) and "status" in faults:
            raise UnknownStatus(faults) from None
        raise InvalidFields(faults) from None
    if callback.type != "heartbeat" and callback.status is None:
        raise InvalidFields({"type": [f"Unknown type {callback.type!r}; known is 'heartbeat'."]})
    return callback
