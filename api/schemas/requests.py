"""Schemas of requests (marshmallow), from which OpenAPI is generated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from marshmallow import (
    INCLUDE,
    RAISE,
    Schema,
    ValidationError,
    fields,
    post_load,
    pre_load,
    validate,
    validates_schema,
)

from api.schemas.fields import Name, Reason, RunId, plain
from domain.application import utc_now
from domain.job.callback import Callback
from projections.views.instance import INSTANCE_STATUSES

STATUSES = ("provisioning", "running", "failed")
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST_AHEAD = timedelta(hours=24)


class CallbackSchema(Schema):
    """A callback (seed contract, "Callbacks"). Unknown fields are accepted and stored."""

    class Meta:
        """A workflow may add fields of its own."""

        unknown = INCLUDE

    job_id = Name("The provisioning job", required=True)
    type = Name("`heartbeat`, or absent")
    status = fields.String(
        validate=validate.OneOf(STATUSES, error="Unknown status; known are {choices}."),
        metadata={"description": "The job's status"},
    )
    step = Name("The workflow step reached, with status provisioning")
    workflow_run_id = RunId(
        metadata={"description": "The CI run, a string or number", "type": ["string", "integer"]}
    )
    error = fields.String(metadata={"description": "The error's text, with status failed"})
    failed_step = Name("The step that failed, with status failed")
    server_id = Name("The machine's id")
    server_ip = Name("The machine's public address")
    tailscale_ip = Name("The machine's private address")
    callback_id = Name(
        "The id of this delivery: a repeated delivery with the same id is recorded once"
    )
    occurred_at = fields.AwareDateTime(
        format="iso",
        metadata={"description": "The time by the sender's clock, RFC 3339 with an offset"},
    )

    def __init__(self, clock: Callable[[], datetime] = utc_now) -> None:
        super().__init__()
        self._clock = clock
        self._patterns = {name: plain(field) for name, field in self.fields.items()}

    def load(self, data: Any, **options: Any) -> Any:
        """Return the callback; raise `ValidationError`."""
        return self._plain(data) or super().load(data, **options)

    def _plain(self, body: Mapping[str, Any]) -> Callback | None:
        # Almost all callbacks have plain texts only, and for those their patterns are enough.
        known: dict[str, str] = {}
        extra: dict[str, Any] = {}
        for name, value in body.items():
            if name not in self._patterns:
                extra[name] = value
            elif value is not None and value != "":
                pattern = self._patterns[name]
                if pattern is None or type(value) is not str or not pattern.fullmatch(value):
                    return None
                known[name] = value
        return Callback(**known, extra=extra) if "job_id" in known else None  # type: ignore[arg-type]

    @pre_load
    def _absent_when_empty(self, body: Mapping[str, Any], **_: Any) -> dict[str, Any]:
        # Bodies come from `jq -n` with shell variables: an unknown value is "" or null.
        return {
            name: value
            for name, value in body.items()
            if not (name in self.fields and (value is None or value == ""))
        }

    @validates_schema(skip_on_field_errors=True)
    def _refuse_absurd_times(self, body: Mapping[str, Any], **_: Any) -> None:
        occurred_at = body.get("occurred_at")
        if occurred_at and not EARLIEST <= occurred_at <= self._clock() + LATEST_AHEAD:
            raise ValidationError(
                "Not between 2000-01-01 and 24 hours from now.", field_name="occurred_at"
            )

    @post_load(pass_original=True)
    def _callback(self, body: dict[str, Any], original: Mapping[str, Any], **_: Any) -> Callback:
        known = {name: body[name] for name in self.fields if name in body}
        if "occurred_at" in known:
            known["occurred_at"] = known["occurred_at"].astimezone(UTC)
        # The original has the fields in the sender's order.
        extra = {name: value for name, value in original.items() if name not in self.fields}
        return Callback(**known, extra=extra)


class RegistrationSchema(Schema):
    """A job to register before its workflow is dispatched."""

    class Meta:
        """A misspelt field must not go unnoticed."""

        unknown = RAISE

    agent_id = Name("The agent that is provisioned", required=True)
    job_id = Name("The job's id; Milepost makes one if it is left out")
    user_id = Name("The agent's owner; by default the user that the token is bound to")
    region = Name("The machine's region", load_default="us-east")
    workflow = Name(
        "A workflow definition, as name or name@version; the default definition if left out"
    )


class OrderSchema(Schema):
    """Why an operator asks for it."""

    class Meta:
        """A misspelt field must not go unnoticed."""

        unknown = RAISE

    reason = Reason("The reason, which is recorded and shown")


class StoppedSchema(OrderSchema):
    """Why a machine is gone, and which one."""

    server_id = Name("The machine that is gone; needed if the job has several that may be meant")


class JobQuerySchema(Schema):
    """A selection of jobs."""

    class Meta:
        """A misspelt filter must not show everything."""

        unknown = RAISE

    agent_id = Name("Only this agent's jobs")
    user_id = Name("Only this user's jobs")
    status = fields.String(
        validate=validate.OneOf(INSTANCE_STATUSES),
        metadata={"description": "Only jobs with this status"},
    )
    attention = fields.Boolean(
        load_default=False,
        metadata={"description": "Only jobs that need somebody now, the worst first, with reasons"},
    )
    limit = fields.Integer(
        strict=False,
        load_default=50,
        validate=validate.Range(1, 200),
        metadata={"description": "The most jobs to return"},
    )
    cursor = fields.String(
        metadata={"description": "The cursor in the Link header of the page before"}
    )
    min_position = fields.Integer(
        validate=validate.Range(min=0),
        metadata={"description": "Wait until the list includes this position"},
    )


class ProofQuerySchema(Schema):
    """The tree to prove an event in."""

    class Meta:
        """A misspelt size must not give another proof."""

        unknown = RAISE

    size = fields.Integer(
        validate=validate.Range(1, 2**63 - 1),
        metadata={"description": "The number of events of your checkpoint; all events if left out"},
    )


class ExtensionQuerySchema(ProofQuerySchema):
    """The older and the newer tree of a consistency proof."""

    first_size = fields.Integer(
        required=True,
        validate=validate.Range(1, 2**63 - 1),
        metadata={"description": "The number of events of the older checkpoint"},
    )
