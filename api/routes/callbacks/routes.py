"""The routes of callbacks: what workflows post (seed contract, "Callbacks")."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from api.http.callback_paths import CALLBACK_PATHS, OF_ONE_JOB
from api.http.flask_side.blueprint import Blueprint, View
from api.http.flask_side.door import through_flask
from api.http.idempotency import parameter
from api.http.messages import Answer
from api.routes.callbacks.receiving import receive
from api.schemas.answers import ReceiptSchema
from api.schemas.requests import CallbackSchema, JobCallbackSchema

bp = Blueprint("callbacks", __name__, description="What workflows post; signed, without a token")

SIGNED_BY: Final = (
    ("X-Signature", "Lower-case hex of HMAC-SHA256(secret, body)"),
    ("X-Hub-Signature-256", "`sha256=` and the same hex"),
    ("webhook-id", "Standard Webhooks: names this delivery, and stays the same over retries"),
    ("webhook-timestamp", "Standard Webhooks: seconds since 1970, at most 300 from now"),
    (
        "webhook-signature",
        "Standard Webhooks: `v1,` and base64 of HMAC-SHA256; several, separated by spaces",
    ),
)


def _takes(
    schema: type[CallbackSchema], example: dict[str, str], *, malformed: str, forbidden: str
) -> Callable[[View], View]:
    """Make a view take callbacks: all routes of callbacks are documented alike but for this."""

    def taking(view: View) -> View:
        for decorate in (
            bp.problem(503, "Not stored now; try again"),
            bp.problem(413, "Larger than 1 MiB"),
            bp.problem(409, "Signed callback id used with another body"),
            bp.problem(403, forbidden),
            bp.problem(401, "Invalid signature"),
            bp.problem(400, malformed),
            bp.response(200, ReceiptSchema),
            bp.doc(**_documented(schema, example)),
        ):
            view = decorate(view)
        return view

    return taking


def _documented(schema: type[CallbackSchema], example: dict[str, str]) -> dict[str, Any]:
    return {
        "parameters": [
            *(
                {"in": "header", "name": name, "schema": {"type": "string"}, "description": meaning}
                for name, meaning in SIGNED_BY
            ),
            parameter(
                "Names this delivery together with its body: no signature covers the header. "
                "A signed id is better: webhook-id, or callback_id in the body"
            ),
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema, "example": example}},
        },
        "security": [{"x-signature": []}, {"x-hub-signature-256": []}, {"standard-webhooks": []}],
    }


EXAMPLE: Final = {"status": "provisioning", "step": "vm_created"}


@bp.route(CALLBACK_PATHS[0], operation="post_github_webhook", methods=["POST"], endpoint="webhook")
@bp.route(CALLBACK_PATHS[1], operation="post_callback", methods=["POST"], endpoint="receive")
@_takes(
    CallbackSchema,
    {"job_id": "job-1", **EXAMPLE},
    malformed="Malformed",
    forbidden="The secret of a named sender, and the job is none of its own",
)
def webhook() -> Answer:
    """Record a callback; both routes do the same.

    GitHub's signed ping is no callback: it is answered with `received` and `warning` alone.
    """
    return through_flask(receive)


# An id may end with a slash.
@bp.route(
    f"{OF_ONE_JOB}<id:job_id>",
    operation="post_job_callback",
    methods=["POST"],
    strict_slashes=True,
)
@_takes(
    JobCallbackSchema,
    EXAMPLE,
    malformed="Malformed, or job_id is not the job of the URL",
    forbidden="The key of the job, which is not registered, or of a named sender for others",
)
@bp.problem(404, "The URL names no job: its id is too long or has a control character")
def of_one_job(job_id: str) -> Answer:
    """Record a callback of the job that the URL names; its registration returns URL and key.

    The key of the job signs, or a secret that is for more jobs. Under the job's own key, the body
    may leave job_id out.
    """
    return through_flask(receive, job_id=job_id)
