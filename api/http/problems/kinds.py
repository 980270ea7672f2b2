"""Kinds of problems: only this module pairs errors with status codes."""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

from api import errors as asked
from domain import errors as domain
from domain.errors import MilepostError
from domain.evidence.merkle import InvalidProof
from domain.log.vouching.contract import NotDurableYet
from projections.read_model.contract import PositionGone
from projections.reading.reader import NotRebuiltYet
from projections.reading.time_travel import NoSuchMoment
from projections.tree.contract import TreeBroken
from projections.tree.proofs import NoSuchTree, NotInTreeYet


class Kind(NamedTuple):
    """A kind of problem. `advice` says what to do; `error` is the seed contract's member."""

    status: HTTPStatus
    slug: str
    title: str
    advice: str = ""
    error: str | None = None
    passes: bool = False
    """True if the problem passes within seconds, so that a retry is worthwhile."""


KINDS: dict[type[MilepostError], Kind] = {
    asked.InvalidSignature: Kind(
        HTTPStatus.UNAUTHORIZED,
        "invalid-signature",
        "Invalid signature",
        "Check that both sides use the same secret: the callback secret or, at the callback_url of "
        "a job, its callback_key. X-Signature is the lower-case hex HMAC-SHA256 of the exact body "
        "bytes under it; a Standard Webhooks library takes the same secret.",
        "Invalid signature",
    ),
    asked.UndatedSignature: Kind(
        HTTPStatus.UNAUTHORIZED,
        "undated-signature",
        "Signature without a time",
        "X-Signature and X-Hub-Signature-256 have none. Sign with a Standard Webhooks library: it "
        "sends webhook-id, webhook-timestamp and webhook-signature, under the same secret.",
        "Invalid signature",
    ),
    asked.SharedSecretOff: Kind(
        HTTPStatus.UNAUTHORIZED,
        "shared-secret-off",
        "Shared secret switched off",
        "Register the job with POST /api/jobs, send its callbacks to the callback_url of the "
        "answer, and sign them with its callback_key.",
        "Invalid signature",
    ),
    domain.NotItsJob: Kind(
        HTTPStatus.FORBIDDEN,
        "not-its-job",
        "Not the sender's job",
        "Send to the callback_url, and sign with the callback_key, that the registration of this "
        "job returned.",
        "Invalid signature",
    ),
    asked.InvalidJSON: Kind(
        HTTPStatus.BAD_REQUEST,
        "invalid-json",
        "Invalid JSON",
        "Send one JSON object in UTF-8, as jq -n makes it.",
        "Invalid JSON",
    ),
    asked.MissingJobId: Kind(
        HTTPStatus.BAD_REQUEST,
        "missing-job-id",
        "Missing job_id",
        "Name the callback's job in the field job_id.",
        "Missing job_id",
    ),
    asked.MissingStatusOrType: Kind(
        HTTPStatus.BAD_REQUEST,
        "missing-status-or-type",
        "Missing status or type",
        'Send a status ("provisioning", "running" or "failed"), or the type "heartbeat".',
        "Missing status or type",
    ),
    asked.UnknownStatus: Kind(
        HTTPStatus.BAD_REQUEST,
        "unknown-status",
        "Unknown status",
        "Send one of the known statuses.",
        "Unknown status",
    ),
    asked.InvalidFields: Kind(
        HTTPStatus.BAD_REQUEST,
        "invalid-fields",
        "Invalid fields",
        "Correct the fields named under errors.",
        "Invalid fields",
    ),
    asked.MissingToken: Kind(
        HTTPStatus.UNAUTHORIZED,
        "missing-token",
        "Missing token",
        "Send Authorization: Bearer followed by a token from milepost tokens create.",
    ),
    asked.InvalidToken: Kind(
        HTTPStatus.UNAUTHORIZED,
        "invalid-token",
        "Invalid token",
        "Write Bearer before the token; milepost tokens create makes a new token.",
    ),
    asked.InvalidSession: Kind(
        HTTPStatus.UNAUTHORIZED,
        "invalid-session",
        "Session ended",
        "Sign in again, or send Authorization: Bearer followed by a token.",
    ),
    asked.InvalidLink: Kind(
        HTTPStatus.UNAUTHORIZED,
        "invalid-link",
        "Link ended",
        "Ask who gave you the link for a new one.",
    ),
    asked.NoLinkSecret: Kind(
        HTTPStatus.CONFLICT,
        "no-link-secret",
        "No link secret",
        "Set MILEPOST_LINK_SECRET; milepost serve makes one where none is set.",
    ),
    asked.ForeignForm: Kind(
        HTTPStatus.FORBIDDEN,
        "foreign-form",
        "Form of another page",
        "Nothing was changed. Load the page again, and send its form once more.",
    ),
    asked.MissingScope: Kind(
        HTTPStatus.FORBIDDEN, "missing-scope", "Missing scope", "Use another token."
    ),
    asked.AgentNotFound: Kind(
        HTTPStatus.NOT_FOUND,
        "agent-not-found",
        "Agent not found",
        "Check the id, and that a job is registered for the agent.",
        "Agent not found",
    ),
    asked.ReadModelBehind: Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "read-model-behind",
        "Read model behind",
        "Try again, and look at /readyz if the read model stays behind.",
    ),
    NotRebuiltYet: Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "not-rebuilt-yet",
        "Not rebuilt yet",
        "Try again later; milepost status shows how far the rebuild is.",
    ),
    asked.NotWriting: Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "not-writing",
        "Callbacks cannot be stored",
        "Look at the server's log, which has the database's own words.",
    ),
    asked.Draining: Kind(HTTPStatus.SERVICE_UNAVAILABLE, "draining", "Server about to end"),
    asked.TooManyConnections: Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "too-many-connections",
        "Too many connections",
        "Close connections that you do not need, and try again.",
    ),
    asked.TooManyStreams: Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "too-many-streams",
        "Too many streams",
        "Ask for the job itself with If-None-Match, and try the stream again later.",
    ),
    asked.NoStreams: Kind(
        HTTPStatus.NOT_IMPLEMENTED,
        "no-streams",
        "No streams here",
        "Ask for the job itself with If-None-Match; milepost serve streams, without --wsgi.",
    ),
    asked.TooManyRequests: Kind(
        HTTPStatus.TOO_MANY_REQUESTS,
        "too-many-requests",
        "Too many requests",
        "Wait for the answers of some before you send more.",
        passes=True,
    ),
    asked.TooManyBytes: Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "too-many-bytes",
        "Too many large requests",
        "Try again.",
    ),
    asked.EventNotFound: Kind(
        HTTPStatus.NOT_FOUND,
        "event-not-found",
        "Event not found",
        "The job's version is the number of its events.",
    ),
    asked.NoCheckpointKey: Kind(
        HTTPStatus.CONFLICT,
        "no-checkpoint-key",
        "No checkpoint key",
        "Set MILEPOST_CHECKPOINT_KEY; milepost checkpoint --new-key makes a key.",
    ),
    NotInTreeYet: Kind(
        HTTPStatus.CONFLICT,
        "not-in-tree-yet",
        "Not in the tree yet",
        "Try again in 2 seconds, and look at /readyz if the event stays missing.",
        passes=True,
    ),
    TreeBroken: Kind(
        HTTPStatus.CONFLICT,
        "log-altered",
        "Log altered",
        "milepost verify shows the differences.",
    ),
    InvalidProof: Kind(
        HTTPStatus.BAD_REQUEST, "no-such-proof", "No such proof", "Ask for a larger size."
    ),
    NoSuchTree: Kind(
        HTTPStatus.NOT_FOUND,
        "no-such-tree",
        "No such tree",
        "If a checkpoint of this log has that size, the log lost events; see milepost verify.",
    ),
    domain.JobNotFound: Kind(
        HTTPStatus.NOT_FOUND,
        "job-not-found",
        "Job not found",
        "Check the id.",
        "Job not found",
    ),
    NoSuchMoment: Kind(HTTPStatus.NOT_FOUND, "no-such-moment", "No such moment"),
    domain.WorkflowNotFound: Kind(
        HTTPStatus.BAD_REQUEST,
        "unknown-workflow",
        "Unknown workflow",
        "milepost workflows list shows the known workflows.",
    ),
    domain.CallbackConflict: Kind(
        HTTPStatus.CONFLICT,
        "callback-conflict",
        "Callback id used twice",
        "Send a new id with a new body; repeat a delivery byte for byte.",
    ),
    domain.RegistrationConflict: Kind(
        HTTPStatus.CONFLICT,
        "registration-conflict",
        "Idempotency key used twice",
        "Send a new key with a new registration.",
    ),
    domain.JobAlreadyRegistered: Kind(
        HTTPStatus.CONFLICT,
        "job-already-registered",
        "Job already registered",
        "Choose another job_id, or leave it out to get a new one. If this is a retry: a "
        "registration with an Idempotency-Key can be sent again, and gets the same answer.",
    ),
    domain.JobInProgress: Kind(
        HTTPStatus.CONFLICT,
        "job-in-progress",
        "Job in progress",
        "If its workflow is dead, POST /api/jobs/{job_id}/fail ends that job.",
        error="A provisioning job is already in progress. Please wait for it to complete.",
    ),
    domain.AgentTaken: Kind(
        HTTPStatus.CONFLICT, "agent-taken", "Agent taken", "Choose another agent_id."
    ),
    domain.NothingToStop: Kind(
        HTTPStatus.BAD_REQUEST,
        "nothing-to-stop",
        "Nothing to stop",
        error="No running instance found for this agent",
    ),
    domain.JobChanged: Kind(
        HTTPStatus.PRECONDITION_FAILED,
        "precondition-failed",
        "Precondition failed",
        "Read it again, decide again, and send its new ETag in If-Match.",
    ),
    domain.NotPossible: Kind(HTTPStatus.CONFLICT, "not-possible", "Not possible now"),
    NotDurableYet: Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "not-durable-yet",
        "Not durable yet",
        "Try again once the synchronous standby is back.",
    ),
    domain.StoreUnavailable: Kind(
        HTTPStatus.SERVICE_UNAVAILABLE, "store-unavailable", "Database unavailable"
    ),
    PositionGone: Kind(HTTPStatus.SERVICE_UNAVAILABLE, "read-model-gone", "Read model gone"),
    domain.QueueFull: Kind(HTTPStatus.SERVICE_UNAVAILABLE, "queue-full", "Too busy"),
}
