"""Schemas of jobs and instances, as they are now."""

from __future__ import annotations

from marshmallow import fields, validate

from api.schemas.answers import AS_OUTCOME, SKEW, AnswerSchema, OutcomeField, error_field
from api.schemas.fields import LongInteger
from projections.views.instance import INSTANCE_STATUSES
from projections.views.reasons import KINDS


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
    changes_at = fields.AwareDateTime(
        allow_none=True,
        metadata={
            "description": "After this time the health is another one, if nothing is recorded "
            "until then; a stream tells of events only, so ask for the job again. null for never"
        },
    )


class InstanceHealthSchema(AnswerSchema):
    """How alive an instance's job is, apart from its status."""

    state = fields.String(validate=validate.OneOf(STATES))
    sentence = fields.String(allow_none=True)
    deadline = fields.String(allow_none=True, validate=validate.OneOf(DEADLINES))
    dueAt = fields.AwareDateTime(allow_none=True)  # noqa: N815  as the seed's names
    changesAt = fields.AwareDateTime(  # noqa: N815
        allow_none=True,
        metadata={"description": "After this time the health is another one without an event"},
    )


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
    error = error_field()
    failed_step = fields.String(allow_none=True)
    timed_out = fields.Boolean(metadata={"description": "The failure was inferred from silence"})
    cancelled = fields.Boolean(metadata=AS_OUTCOME)
    clock_skew_seconds = fields.Integer(allow_none=True, metadata={"description": SKEW})
    rollback_requested_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "null while `rollback_held` is true"}
    )
    rollback_held = fields.Boolean(
        allow_none=True,
        metadata={
            "description": "True while another job works or runs on the machine that the rollback "
            "of the shown attempt names: do not remove it. false: remove it; it is `server_id`. "
            "null without an open rollback, if `server_id` is another machine than that one, for "
            "the past, in streams, and while the read model is behind or being rebuilt"
        },
    )
    stop_requested_at = fields.AwareDateTime(allow_none=True)
    waiting_since = fields.AwareDateTime(
        allow_none=True,
        metadata={
            "description": "When the job was registered, or its present attempt was opened; null "
            "if its workflow began without a registration"
        },
    )
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
    attempt = fields.Integer(metadata={"description": "The present attempt, from 1"})
    serverId = fields.String(allow_none=True)  # noqa: N815
    serverIp = fields.String(allow_none=True)  # noqa: N815
    tailscaleIp = fields.String(allow_none=True)  # noqa: N815
    region = fields.String()
    error = error_field()
    currentStep = fields.String(allow_none=True)  # noqa: N815
    waitingSince = fields.AwareDateTime(allow_none=True)  # noqa: N815
    claimedAt = fields.AwareDateTime(allow_none=True)  # noqa: N815
    startedAt = fields.AwareDateTime(allow_none=True)  # noqa: N815
    completedAt = fields.AwareDateTime(allow_none=True)  # noqa: N815
    stoppedAt = fields.AwareDateTime(allow_none=True)  # noqa: N815
    createdAt = fields.AwareDateTime()  # noqa: N815
    updatedAt = fields.AwareDateTime()  # noqa: N815


class InstanceSchema(AnswerSchema):
    """An agent's instance, its UI steps, and its uptime."""

    instance = fields.Nested(InstanceBodySchema)
    steps = fields.List(fields.Nested(UiStepSchema))
    uptime = fields.Integer(allow_none=True, metadata={"description": "Whole seconds"})
    health = fields.Nested(InstanceHealthSchema)
