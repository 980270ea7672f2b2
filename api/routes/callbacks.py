"""Callbacks: what workflows post (seed contract, "Callbacks")."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
from flask import Response, request
from marshmallow import ValidationError

from api.errors import InvalidFields, MissingJobId, MissingStatusOrType, UnknownStatus
from api.http.access import services
from api.http.answers import Plain, in_json
from api.http.blueprint import Blueprint
from api.http.bodies import body_of, whole_body
from api.http.headers import Headers, headers_in
from api.http.idempotency import checked, idempotency_key, parameter
from api.http.json_body import parse_object
from api.http.signatures import Sender, verify
from api.routes.metrics import DUPLICATE, RECORDED
from api.schemas.answers import ReceiptSchema
from api.schemas.requests import CallbackSchema
from api.wiring import Services
from domain.job.callback import Callback

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

log = logging.getLogger("milepost")

bp = Blueprint("callbacks", __name__, description="What workflows post; signed, without a token")

PATHS: Final = ("/api/webhooks/github", "/api/callbacks")
PLAIN_LENGTH: Final = re.compile("[0-9]{1,9}")
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
@bp.route(PATHS[1], methods=["POST"])
@bp.doc(**_DOC)
@bp.response(200, ReceiptSchema)
@bp.problem(400, "Malformed")
@bp.problem(401, "Invalid signature")
@bp.problem(409, "Callback id used with another body")
@bp.problem(413, "Larger than 64 KiB")
@bp.problem(503, "Not stored now; try again")
def receive() -> Response:
    """Record a callback; both routes do the same."""
    return take(headers_in(request.environ), whole_body(), services()).response()


def glance(environ: WSGIEnvironment, here: Services) -> Plain | None:
    """Answer as `receive` does, for bodies of a known length; None for other requests."""
    length = environ.get("CONTENT_LENGTH", "")
    if environ.get("PATH_INFO") not in PATHS or environ["REQUEST_METHOD"] != "POST":
        return None
    if "HTTP_TRANSFER_ENCODING" in environ or not PLAIN_LENGTH.fullmatch(length):
        return None
    return take(headers_in(environ), body_of(int(length), environ["wsgi.input"]), here)


def take(header: Headers, body: bytes, here: Services) -> Plain:
    """Verify, load and record a callback; answer with its receipt."""
    sender = verify(header, body, here.settings.callback_secrets, here.clock())
    callback = load(parse_object(body), _schema(here.clock))
    receipt = here.milepost.record(
        msgspec.structs.replace(
            callback,
            signed_by=sender.signed_by,
            **_delivery(header, sender, callback),
            digest=hashlib.sha256(body).hexdigest(),
        )
    )
    (DUPLICATE if receipt.duplicate else RECORDED).inc()
    if receipt.warning:
        log.warning("callback recorded all the same: %s", receipt.warning)
    answer = {
        "received": True,
        "job_id": receipt.job_id,
        "version": receipt.version,
        "position": receipt.position,
        "duplicate": receipt.duplicate,
    }
    if receipt.warning:
        answer["warning"] = receipt.warning
    return in_json(answer)


def _delivery(header: Headers, sender: Sender, callback: Callback) -> dict[str, Any]:
    # What is signed goes before what anybody could have put on the way.
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
