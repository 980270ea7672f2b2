"""Schemas of answers (marshmallow), from which OpenAPI is generated."""

from __future__ import annotations

from typing import Final, get_args

from marshmallow import EXCLUDE, Schema, fields, validate

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


class ReceiptSchema(Schema):
    """Proof that a callback is stored. GitHub's ping gets `received` and `warning` only."""

    received = fields.Boolean(metadata={"description": "Always true"})
    job_id = fields.String()
    version = fields.Integer(metadata={"description": "The job's version after this callback"})
    position = fields.Integer(metadata={"description": "The event's position in the whole log"})
    duplicate = fields.Boolean(metadata={"description": "True for a redelivery"})
    warning = fields.String(
        metadata={"description": "Why the callback may be a mistake, if it may be one"}
    )


class UiStepSchema(Schema):
    """A UI step with its status."""

    id = fields.String()
    label = fields.String()
    status = fields.String(validate=validate.OneOf(("completed", "active", "pending", "error")))


class RefusalSchema(Schema):
    """The newest refused callback of a job."""

    at = fields.AwareDateTime(metadata={"description": "The time by the server's clock"})
    reason = fields.String(metadata={"description": "As in milepost_callbacks_refused_total"})
    detail = fields.String(allow_none=True, metadata={"description": "What its sender was told"})


DEADLINES = ("start", "heartbeat", "step", "attempt")
STATES = ("ok", "late", "unresponsive")


class HealthSchema(Schema):
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


class InstanceHealthSchema(Schema):
    """How alive an instance's job is, apart from its status."""

    state = fields.String(validate=validate.OneOf(STATES))
    sentence = fields.String(allow_none=True)
    deadline = fields.String(allow_none=True, validate=validate.OneOf(DEADLINES))
    dueAt = fields.AwareDateTime(allow_none=True)  # noqa: N815  as the seed's names


class JobSchema(Schema):
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
    run_attempt = fields.Integer(allow_none=True)
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
    version = fields.Integer()
    position = fields.Integer()


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


class OrderedSchema(JobSchema):
    """A job after an operator's command."""

    changed = fields.Boolean(
        metadata={"description": "False if the job was so already: nothing was recorded"}
    )


class JobListSchema(Schema):
    """A page of jobs, the newest first."""

    jobs = fields.List(fields.Nested(JobSchema))


class ReasonSchema(Schema):
    """Why a job needs somebody."""

    reason = fields.String(validate=validate.OneOf(KINDS))
    since = fields.AwareDateTime()
    text = fields.String(metadata={"description": "The reason in words"})


class AttentionSchema(JobSchema):
    """A job that needs somebody now."""

    attention = fields.List(
        fields.Nested(ReasonSchema), metadata={"description": "The reasons, the worst first"}
    )


class AttentionListSchema(Schema):
    """A page of jobs that need somebody now, the worst first, then the oldest."""

    jobs = fields.List(fields.Nested(AttentionSchema))


class InstanceBodySchema(Schema):
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


class InstanceSchema(Schema):
    """An agent's instance, its UI steps, and its uptime."""

    instance = fields.Nested(InstanceBodySchema)
    steps = fields.List(fields.Nested(UiStepSchema))
    uptime = fields.Integer(allow_none=True, metadata={"description": "Whole seconds"})
    health = fields.Nested(InstanceHealthSchema)


class TimelineStepSchema(Schema):
    """A step, from its report to the report of the next step or the end of the attempt."""

    step = fields.String()
    ui_step = fields.String(allow_none=True, metadata={"description": "null if unknown"})
    late = fields.Boolean(
        metadata={"description": "True if the first report came after the end of the attempt"}
    )
    started_at = fields.AwareDateTime()
    finished_at = fields.AwareDateTime(allow_none=True)
    duration_seconds = fields.Float(allow_none=True)


class GapSchema(Schema):
    """A silence longer than two heartbeat intervals."""

    since = fields.AwareDateTime()
    until = fields.AwareDateTime()
    duration_seconds = fields.Float()


class AttemptSchema(Schema):
    """One attempt of a job."""

    number = fields.Integer()
    status = fields.String(validate=validate.OneOf(get_args(Status)))
    outcome = OutcomeField()
    present = fields.Boolean(metadata={"description": "True for the attempt that the job shows"})
    superseded = fields.Boolean(
        metadata={"description": "True if another run took its place while it was in progress"}
    )
    workflow_run_id = fields.String(allow_none=True)
    run_attempt = fields.Integer(allow_none=True)
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


class TimelineSchema(Schema):
    """A job's attempts in order."""

    job_id = fields.String()
    version = fields.Integer()
    position = fields.Integer()
    queued_at = fields.AwareDateTime(allow_none=True)
    attempts = fields.List(fields.Nested(AttemptSchema))


class ProofSchema(Schema):
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
    leaf_index = fields.Integer(metadata={"description": "The event's index in the tree, from 0"})
    tree_size = fields.Integer()
    root = fields.String()
    hashes = fields.List(fields.String(), metadata={"description": "From the leaf to the root"})
    checkpoint = fields.String(metadata={"description": "The signed checkpoint of this size"})


class ExtensionSchema(Schema):
    """Proof that the tree extends the tree of its first `first_size` events (RFC 9162, 2.1.4)."""

    first_size = fields.Integer()
    tree_size = fields.Integer()
    root = fields.String()
    hashes = fields.List(fields.String())
    checkpoint = fields.String(metadata={"description": "The signed checkpoint of this size"})


class ProblemSchema(Schema):
    """A problem document (RFC 9457)."""

    class Meta:
        """Problems may have members of their own."""

        unknown = EXCLUDE

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
