"""The shapes of requests and answers: marshmallow schemas, from which OpenAPI is generated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from marshmallow import (
    EXCLUDE,
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

from domain.application import utc_now
from domain.callback import Callback

MAX_ID = 200
STATUSES = ("provisioning", "running", "failed")
INSTANCE_STATUSES = ("pending", "provisioning", "running", "stopping", "stopped", "failed")
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST_AHEAD = timedelta(hours=24)


def is_printable(value: str) -> bool:
    """Tell whether the text has no control character."""
    return not any(character < " " or character == "\x7f" for character in value)


def _printable(value: str) -> None:
    if not is_printable(value):
        raise ValidationError("Has a control character.")


class Name(fields.String):
    """A name or id: 1 to 200 characters, none of them a control character."""

    def __init__(self, description: str, **options: Any) -> None:
        bounds = validate.Length(min=1, max=MAX_ID)
        super().__init__(
            validate=[bounds, _printable], metadata={"description": description}, **options
        )


class RunId(fields.Field[str]):
    """The CI run's id, a string or a whole number; kept as text."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise ValidationError("Not a string or whole number.")
        if len(str(value)) > MAX_ID:
            raise ValidationError(f"Longer than maximum length {MAX_ID}.")
        _printable(str(value))
        return str(value)


class CallbackSchema(Schema):
    """A callback (seed contract, "Callbacks"). Unknown fields are accepted and kept."""

    class Meta:
        """Never reject what a workflow adds."""

        unknown = INCLUDE

    job_id = Name("The provisioning job", required=True)
    type = Name("`heartbeat`, or absent")
    status = fields.String(
        validate=validate.OneOf(STATUSES, error="Unknown status; known are {choices}."),
        metadata={"description": "How the job stands"},
    )
    step = Name("The workflow step reached, with status provisioning")
    workflow_run_id = RunId(
        metadata={"description": "The CI run, a string or number", "type": ["string", "integer"]}
    )
    error = fields.String(metadata={"description": "What went wrong, with status failed"})
    failed_step = Name("The step that failed, with status failed")
    server_id = Name("The machine's id")
    server_ip = Name("The machine's public address")
    tailscale_ip = Name("The machine's private address")
    callback_id = Name("This delivery: a second one with the same id is recorded once")
    occurred_at = fields.AwareDateTime(
        format="iso", metadata={"description": "The sender's clock, RFC 3339 with an offset"}
    )

    def __init__(self, clock: Callable[[], datetime] = utc_now) -> None:
        super().__init__()
        self._clock = clock

    @pre_load
    def _absent_when_empty(self, body: Mapping[str, Any], **_: Any) -> dict[str, Any]:
        # Bodies come from `jq -n` with shell variables: what was not known is "" or null.
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
        # From the original, which has its fields in the sender's order.
        extra = {name: value for name, value in original.items() if name not in self.fields}
        return Callback(**known, extra=extra)


class ReceiptSchema(Schema):
    """Proof that a callback is stored."""

    received = fields.Boolean(metadata={"description": "Always true"})
    job_id = fields.String()
    version = fields.Integer(metadata={"description": "The job's version after this callback"})
    position = fields.Integer(metadata={"description": "Its place in the whole log"})
    duplicate = fields.Boolean(metadata={"description": "True for a redelivery"})
    warning = fields.String(metadata={"description": "What is odd about it, if anything"})


class RegistrationSchema(Schema):
    """A job to register before its workflow is dispatched."""

    class Meta:
        """A misspelt field must not go unnoticed."""

        unknown = RAISE

    agent_id = Name("The agent that is provisioned", required=True)
    job_id = Name("The job's id; made up if left out")
    user_id = Name("Whose agent it is; a token bound to a user says so by itself")
    region = Name("Where", load_default="us-east")
    workflow = Name("A workflow definition, as name or name@version; the default one if left out")


class UiStepSchema(Schema):
    """A UI step and how it stands."""

    id = fields.String()
    label = fields.String()
    status = fields.String(validate=validate.OneOf(("completed", "active", "pending", "error")))


class JobSchema(Schema):
    """A job as it stands."""

    id = fields.String()
    agent_id = fields.String(allow_none=True)
    user_id = fields.String(allow_none=True)
    region = fields.String(allow_none=True)
    workflow = fields.String(metadata={"description": "name@version"})
    registered = fields.Boolean(metadata={"description": "False until POST /api/jobs"})
    status = fields.String(validate=validate.OneOf(INSTANCE_STATUSES))
    current_step = fields.String(allow_none=True)
    failed_at_step = fields.String(allow_none=True)
    steps = fields.List(fields.Nested(UiStepSchema))
    attempt = fields.Integer(metadata={"description": "The present attempt, from 1"})
    retry_count = fields.Integer()
    max_retries = fields.Integer()
    workflow_run_id = fields.String(allow_none=True)
    server_id = fields.String(allow_none=True)
    server_ip = fields.String(allow_none=True)
    tailscale_ip = fields.String(allow_none=True)
    error = fields.String(allow_none=True)
    failed_step = fields.String(allow_none=True)
    timed_out = fields.Boolean(metadata={"description": "The failure was inferred from silence"})
    rollback_requested_at = fields.AwareDateTime(allow_none=True)
    stop_requested_at = fields.AwareDateTime(allow_none=True)
    claimed_at = fields.AwareDateTime(allow_none=True)
    last_heartbeat_at = fields.AwareDateTime(allow_none=True)
    silent_since = fields.AwareDateTime(allow_none=True)
    started_at = fields.AwareDateTime(allow_none=True)
    completed_at = fields.AwareDateTime(allow_none=True)
    created_at = fields.AwareDateTime(allow_none=True)
    updated_at = fields.AwareDateTime(allow_none=True)
    version = fields.Integer()
    position = fields.Integer()


class RegisteredSchema(JobSchema):
    """A registered job."""

    duplicate = fields.Boolean(metadata={"description": "True if it was registered before"})


class JobListSchema(Schema):
    """A page of jobs, the newest first."""

    jobs = fields.List(fields.Nested(JobSchema))


class JobQuerySchema(Schema):
    """Which jobs to list."""

    class Meta:
        """A misspelt filter must not show everything."""

        unknown = RAISE

    agent_id = Name("Only this agent's")
    user_id = Name("Only this user's")
    status = fields.String(
        validate=validate.OneOf(INSTANCE_STATUSES), metadata={"description": "Only these"}
    )
    limit = fields.Integer(
        strict=False,
        load_default=50,
        validate=validate.Range(1, 200),
        metadata={"description": "How many at most"},
    )
    cursor = fields.String(metadata={"description": "Where to go on: from the Link header"})
    min_position = fields.Integer(
        validate=validate.Range(min=0),
        metadata={"description": "Wait until the list is at least as new as this position"},
    )


class InstanceBodySchema(Schema):
    """The seed system's instance."""

    id = fields.String(metadata={"description": "The job's id"})
    agentId = fields.String()  # noqa: N815  the seed's names
    status = fields.String(validate=validate.OneOf(INSTANCE_STATUSES))
    serverId = fields.String(allow_none=True)  # noqa: N815
    serverIp = fields.String(allow_none=True)  # noqa: N815
    tailscaleIp = fields.String(allow_none=True)  # noqa: N815
    region = fields.String()
    error = fields.String(allow_none=True)
    currentStep = fields.String(allow_none=True)  # noqa: N815
    startedAt = fields.AwareDateTime(allow_none=True)  # noqa: N815
    stoppedAt = fields.AwareDateTime(allow_none=True)  # noqa: N815
    createdAt = fields.AwareDateTime()  # noqa: N815
    updatedAt = fields.AwareDateTime()  # noqa: N815


class InstanceSchema(Schema):
    """An agent's instance, its UI steps, and how long it has been running."""

    instance = fields.Nested(InstanceBodySchema)
    steps = fields.List(fields.Nested(UiStepSchema))
    uptime = fields.Integer(allow_none=True, metadata={"description": "Whole seconds"})


class TimelineStepSchema(Schema):
    """A step: from its report until the next one's, or the end of the attempt."""

    step = fields.String()
    ui_step = fields.String(allow_none=True, metadata={"description": "None if unknown"})
    late = fields.Boolean(metadata={"description": "First reported after the end"})
    started_at = fields.AwareDateTime()
    finished_at = fields.AwareDateTime(allow_none=True)
    duration_seconds = fields.Float(allow_none=True)


class GapSchema(Schema):
    """A silence of more than two heartbeats."""

    since = fields.AwareDateTime()
    until = fields.AwareDateTime()
    duration_seconds = fields.Float()


class AttemptSchema(Schema):
    """One attempt of a job."""

    number = fields.Integer()
    status = fields.String(validate=validate.OneOf(("queued", "provisioning", "running", "failed")))
    workflow_run_id = fields.String(allow_none=True)
    started_at = fields.AwareDateTime(allow_none=True)
    finished_at = fields.AwareDateTime(allow_none=True)
    duration_seconds = fields.Float(allow_none=True)
    error = fields.String(allow_none=True)
    failed_step = fields.String(allow_none=True)
    timed_out = fields.Boolean()
    last_contact_at = fields.AwareDateTime(allow_none=True)
    steps = fields.List(fields.Nested(TimelineStepSchema))
    gaps = fields.List(fields.Nested(GapSchema))


class TimelineSchema(Schema):
    """A job's attempts, the first one first."""

    job_id = fields.String()
    version = fields.Integer()
    position = fields.Integer()
    queued_at = fields.AwareDateTime(allow_none=True)
    attempts = fields.List(fields.Nested(AttemptSchema))


class ProblemSchema(Schema):
    """A problem document (RFC 9457)."""

    class Meta:
        """Problems may have members of their own."""

        unknown = EXCLUDE

    type = fields.String(metadata={"description": "Stable: urn:milepost:problem:…"})
    title = fields.String()
    status = fields.Integer()
    detail = fields.String(metadata={"description": "What is wrong and what to do"})
    instance = fields.String(metadata={"description": "The path that was asked for"})
    error = fields.String(metadata={"description": "The seed contract's word for it"})
    errors = fields.Dict(metadata={"description": "Faults by field"})
