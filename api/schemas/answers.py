"""Schemas of answers (marshmallow), from which OpenAPI is generated."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar, Final, get_args

from marshmallow import EXCLUDE, Schema, fields, validate

from api.schemas.fields import LongInteger
from domain.job.attempt.final import Outcome
from domain.job.attempt.state import Status
from domain.job.long_text import MAX_KEPT
from projections.views.instance import INSTANCE_STATUSES
from projections.views.reasons import KINDS

SKEW: Final = "The largest difference of a sender's clock to ours, if it is above 60 s"
AS_OUTCOME: Final = {
    "description": "The outcome is `cancelled`: ask that",
    "deprecated": True,
}


def _error() -> fields.String:
    return fields.String(
        allow_none=True,
        metadata={
            "description": f"Of more than {MAX_KEPT:,} characters, head and tail; the job's events "
            "have them all"
        },
    )


class OutcomeField(fields.String):
    """How an attempt ended."""

    def __init__(self) -> None:
        super().__init__(
            allow_none=True,
            validate=validate.OneOf(get_args(Outcome)),
            metadata={"description": "How it ended, more exactly than the status; null before"},
        )


class AnswerSchema(Schema):
    """An object of an answer. It has every member, but may lack those in `optional`."""

    optional: ClassVar[Collection[str]] = ()

    class Meta:
        """A later release may add members, so the document forbids none."""

        unknown = EXCLUDE

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Say in the document that the member is there."""
        field_obj.required = field_name not in self.optional


class ReceiptSchema(AnswerSchema):
    """Proof that a callback is stored."""

    optional = ("warning",)

    received = fields.Boolean(metadata={"description": "Always true"})
    job_id = fields.String()
    version = LongInteger("The job's version after this callback")
    position = LongInteger("The event's position in the whole log")
    duplicate = fields.Boolean(metadata={"description": "True for a redelivery"})
    warning = fields.String(
        metadata={"description": "Why the callback may be a mistake, if it may be one"}
    )


class UiStepSchema(AnswerSchema):
    """A UI step with its status."""

    id = fields.String()
    label = fields.String()
    status = fields.String(validate=validate.OneOf(("completed", "active", "pending", "error")))


class RefusalSchema(AnswerSchema):
    """The newest refused callback of a job."""

    at = fields.AwareDateTime(metadata={"description": "The time by the server's clock"})
    reason = fields.String(metadata={"description": "As in milepost_callbacks_refused_total"})
    detail = fields.String(allow_none=True, metadata={"description": "What its sender was told"})


DEADLINES = ("start", "heartbeat", "step", "attempt")
STATES = ("ok", "late", "unresponsive")


class HealthSchema(AnswerSchema):
    """How alive a job is, apart from its status."""

    state = fields.String(validate=validate.OneOf(STATES))
    sentence = fields.String(allow_none=True, metadata={"description": "null once it has ended"})
    deadline = fields.String(
        allow_none=True,
        validate=validate.OneOf(DEADLINES),
        metadata={"description": "The deadline that comes first"},
    )
    due_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "The job is given up after this time"}
    )


class InstanceHealthSchema(AnswerSchema):
    """How alive an instance's job is, apart from its status."""

    state = fields.String(validate=validate.OneOf(STATES))
    sentence = fields.String(allow_none=True)
    deadline = fields.String(allow_none=True, validate=validate.OneOf(DEADLINES))
    dueAt = fields.AwareDateTime(allow_none=True)  # noqa: N815  as the seed's names


class JobSchema(AnswerSchema):
    """A job and its state."""

    id = fields.String()
    agent_id = fields.String(allow_none=True)
    user_id = fields.String(allow_none=True)
    region = fields.String(allow_none=True)
    workflow = fields.String(metadata={"description": "name@version"})
    registered = fields.Boolean(metadata={"description": "False until POST /api/jobs"})
    status = fields.String(validate=validate.OneOf(INSTANCE_STATUSES))
    outcome = OutcomeField()
    current_step = fields.String(allow_none=True)
    failed_at_step = fields.String(allow_none=True)
    steps = fields.List(fields.Nested(UiStepSchema))
    attempt = fields.Integer(metadata={"description": "The present attempt, from 1"})
    retry_count = fields.Integer()
    max_retries = fields.Integer()
    workflow_run_id = fields.String(allow_none=True)
    run_attempt = LongInteger(allow_none=True)
    server_id = fields.String(allow_none=True)
    server_ip = fields.String(allow_none=True)
    tailscale_ip = fields.String(allow_none=True)
    error = _error()
    failed_step = fields.String(allow_none=True)
    timed_out = fields.Boolean(metadata={"description": "The failure was inferred from silence"})
    cancelled = fields.Boolean(metadata=AS_OUTCOME)
    clock_skew_seconds = fields.Integer(allow_none=True, metadata={"description": SKEW})
    rollback_requested_at = fields.AwareDateTime(allow_none=True)
    stop_requested_at = fields.AwareDateTime(allow_none=True)
    claimed_at = fields.AwareDateTime(allow_none=True)
    last_heartbeat_at = fields.AwareDateTime(allow_none=True)
    silent_since = fields.AwareDateTime(allow_none=True)
    started_at = fields.AwareDateTime(allow_none=True)
    stopped_at = fields.AwareDateTime(allow_none=True)
    completed_at = fields.AwareDateTime(allow_none=True)
    refused_callbacks = fields.Integer(
        metadata={"description": "How many refused callbacks the job has kept, at most 100"}
    )
    last_refusal = fields.Nested(RefusalSchema, allow_none=True)
    health = fields.Nested(
        HealthSchema, allow_none=True, metadata={"description": "null for the past"}
    )
    created_at = fields.AwareDateTime(allow_none=True)
    updated_at = fields.AwareDateTime(allow_none=True)
    version = LongInteger()
    position = LongInteger()


class RegisteredSchema(JobSchema):
    """A registered job."""

    duplicate = fields.Boolean(metadata={"description": "True if it was registered before"})
    callback_url = fields.String(
        metadata={"description": "Where the job's workflow sends its callbacks"}
    )
    callback_key = fields.String(
        allow_none=True,
        metadata={
            "description": "The secret that signs callbacks of this job alone, in the format of "
            "Standard Webhooks; null for a repetition by another token"
        },
    )


class LinkSchema(AnswerSchema):
    """A signed link."""

    url = fields.String(metadata={"description": "The address; whoever has it may read"})
    path = fields.String(metadata={"description": "The same without scheme and host"})
    expires_at = fields.AwareDateTime(metadata={"description": "When it ends at the latest"})


class OrderedSchema(JobSchema):
    """A job after an operator's command."""

    changed = fields.Boolean(
        metadata={"description": "False if the job was so already: nothing was recorded"}
    )


class ReasonSchema(AnswerSchema):
    """Why a job needs somebody."""

    reason = fields.String(validate=validate.OneOf(KINDS))
    since = fields.AwareDateTime()
    text = fields.String(metadata={"description": "The reason in words"})


class ListedJobSchema(JobSchema):
    """A job of a list."""

    optional = ("attention",)

    attention = fields.List(
        fields.Nested(ReasonSchema),
        metadata={"description": "Why it needs somebody, the worst reason first; with `attention`"},
    )


class JobListSchema(AnswerSchema):
    """A page of jobs, the newest first; with `attention`, the worst first, then the oldest."""

    jobs = fields.List(fields.Nested(ListedJobSchema))


class InstanceBodySchema(AnswerSchema):
    """The seed system's instance."""

    id = fields.String(metadata={"description": "The job's id"})
    agentId = fields.String()  # noqa: N815  the seed's names
    status = fields.String(validate=validate.OneOf(INSTANCE_STATUSES))
    outcome = OutcomeField()
    serverId = fields.String(allow_none=True)  # noqa: N815
    serverIp = fields.String(allow_none=True)  # noqa: N815
    tailscaleIp = fields.String(allow_none=True)  # noqa: N815
    region = fields.String()
    error = _error()
    currentStep = fields.String(allow_none=True)  # noqa: N815
    startedAt = fields.AwareDateTime(allow_none=True)  # noqa: N815
    stoppedAt = fields.AwareDateTime(allow_none=True)  # noqa: N815
    createdAt = fields.AwareDateTime()  # noqa: N815
    updatedAt = fields.AwareDateTime()  # noqa: N815


class InstanceSchema(AnswerSchema):
    """An agent's instance, its UI steps, and its uptime."""

    instance = fields.Nested(InstanceBodySchema)
    steps = fields.List(fields.Nested(UiStepSchema))
    uptime = fields.Integer(allow_none=True, metadata={"description": "Whole seconds"})
    health = fields.Nested(InstanceHealthSchema)


class TimelineStepSchema(AnswerSchema):
    """A step, from its report to the report of the next step or the end of the attempt."""

    step = fields.String()
    ui_step = fields.String(allow_none=True, metadata={"description": "null if unknown"})
    ui_label = fields.String(
        allow_none=True, metadata={"description": "What a person sees meanwhile; null if unknown"}
    )
    late = fields.Boolean(
        metadata={"description": "True if the first report came after the end of the attempt"}
    )
    started_at = fields.AwareDateTime()
    finished_at = fields.AwareDateTime(allow_none=True)
    duration_seconds = fields.Float(allow_none=True)


class GapSchema(AnswerSchema):
    """A silence longer than two heartbeat intervals."""

    since = fields.AwareDateTime()
    until = fields.AwareDateTime()
    duration_seconds = fields.Float()


class AttemptSchema(AnswerSchema):
    """One attempt of a job."""

    number = fields.Integer()
    status = fields.String(validate=validate.OneOf(get_args(Status)))
    outcome = OutcomeField()
    present = fields.Boolean(metadata={"description": "True for the attempt that the job shows"})
    superseded = fields.Boolean(
        metadata={"description": "True if another run took its place while it was in progress"}
    )
    workflow_run_id = fields.String(allow_none=True)
    run_attempt = LongInteger(allow_none=True)
    waiting_since = fields.AwareDateTime(
        allow_none=True,
        metadata={
            "description": "When the job was registered, or the retry was ordered; null if the "
            "workflow began without that"
        },
    )
    started_at = fields.AwareDateTime(allow_none=True)
    finished_at = fields.AwareDateTime(allow_none=True)
    duration_seconds = fields.Float(allow_none=True)
    error = _error()
    failed_step = fields.String(allow_none=True)
    timed_out = fields.Boolean()
    cancelled = fields.Boolean(metadata=AS_OUTCOME)
    server_id = fields.String(allow_none=True)
    rollback_requested_at = fields.AwareDateTime(allow_none=True)
    clock_skew_seconds = fields.Integer(allow_none=True, metadata={"description": SKEW})
    last_contact_at = fields.AwareDateTime(allow_none=True)
    steps = fields.List(fields.Nested(TimelineStepSchema))
    gaps = fields.List(fields.Nested(GapSchema))


class TimelineSchema(AnswerSchema):
    """A job's attempts in order."""

    job_id = fields.String()
    version = LongInteger()
    position = LongInteger()
    queued_at = fields.AwareDateTime(allow_none=True)
    attempts = fields.List(fields.Nested(AttemptSchema))


class BadgeSchema(AnswerSchema):
    """A badge, as Shields reads it from an endpoint (https://shields.io/badges/endpoint-badge)."""

    schemaVersion = fields.Integer()  # noqa: N815
    label = fields.String()
    message = fields.String()
    color = fields.String()
    isError = fields.Boolean()  # noqa: N815
    cacheSeconds = fields.Integer()  # noqa: N815


class ProofSchema(AnswerSchema):
    """Proof that an event is in the log that the checkpoint signs; hashes are in base64.

    `docs/check_inclusion.py` checks it in ten lines; `docs/check_proof.py` also explains the
    result. RFC 9162, 2.1.3.2, has the steps.
    """

    entry = fields.String(
        metadata={
            "description": 'The line [position,"job",version,"topic"] before the stored bytes'
        }
    )
    stored = fields.String(metadata={"description": "The event's bytes as stored, in base64"})
    leaf_index = LongInteger("The event's index in the tree, from 0")
    tree_size = LongInteger()
    root = fields.String()
    hashes = fields.List(fields.String(), metadata={"description": "From the leaf to the root"})
    checkpoint = fields.String(metadata={"description": "The signed checkpoint of this size"})


class ExtensionSchema(AnswerSchema):
    """Proof that the tree extends the tree of its first `first_size` events (RFC 9162, 2.1.4)."""

    first_size = LongInteger()
    tree_size = LongInteger()
    root = fields.String()
    hashes = fields.List(fields.String())
    checkpoint = fields.String(metadata={"description": "The signed checkpoint of this size"})


class ProblemSchema(AnswerSchema):
    """A problem document (RFC 9457)."""

    optional = ("detail", "error", "errors", "possible")

    type = fields.String(metadata={"description": "Stable: urn:milepost:problem:…"})
    title = fields.String()
    status = fields.Integer()
    detail = fields.String(metadata={"description": "The fault, and what to do about it"})
    instance = fields.String(metadata={"description": "The path of the request"})
    error = fields.String(metadata={"description": "The seed contract's text for this error"})
    errors = fields.Dict(metadata={"description": "Faults by field"})
    possible = fields.List(
        fields.String(), metadata={"description": "The commands that the job's state allows now"}
    )


class LivenessSchema(AnswerSchema):
    """The process answers."""

    status = fields.String(validate=validate.Equal("alive"))


class ReadinessSchema(AnswerSchema):
    """The server takes callbacks, and how far behind the log the read model and the tree are."""

    status = fields.String(validate=validate.Equal("ready"))
    database = fields.String(metadata={"description": "The database, without its password"})
    log_position = LongInteger("The position of the newest event")
    read_model_position = LongInteger("The position up to which events are folded")
    lag_events = LongInteger("Events that are not folded yet")
    rebuild_position = LongInteger(
        "The position of a rebuild of the read model; null without one", allow_none=True
    )
    set_aside = fields.Integer(
        metadata={"description": "Events that could not be folded, up to 100"}
    )
    lost_ends = fields.Integer(
        metadata={"description": "Lost ends of the log that no operator has acknowledged"}
    )
    tree_lag_events = LongInteger("Positions that the tree is behind the log")
    tree = fields.String(metadata={"description": "`growing`, or the reason why the tree stopped"})
    deadlines = fields.String(
        metadata={"description": "`watched`, or the reason why no job is given up at present"}
    )
