"""The catalogue of facts: what callbacks said and what Milepost decided.

A fact is stored as plain JSON under the name of its class. A shape that was stored never changes: a
new field has a default, and a breaking change is a new shape with an upcaster from the old one
(`docs/evolution.md`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import msgspec

Time = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time that says its offset from UTC."""
DeadlineKind: TypeAlias = Literal["start", "heartbeat", "step", "attempt"]
"""What an attempt may miss: its start, a heartbeat, the end of a step, or its own end."""


class Fact(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Something that happened; `recorded_at` is the server's clock (UTC).

    `SHAPE` counts a class's shapes from 1. From the second shape on, the topic contains it.
    """

    SHAPE: ClassVar[int] = 1
    recorded_at: Time


class Received(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """What every callback says of itself.

    `id_signed` says whether the sender's signature covers `callback_id`; it is None without an id,
    and in events of releases that did not say it. `occurred_at` is the sender's clock, if given.
    `signed_by` names scheme and key, as `x-signature:3f2a90c1`. `digest` is the SHA-256 of the raw
    body, in hex. `extra` holds every payload field that Milepost does not know, unchanged.
    `attempt` is the number of the attempt that the callback belongs to, 0 for none; it is decided
    when the callback is recorded, and left out while the job has one attempt. `bent` holds each
    field that was changed to fit, as the callback gave it. `raw` is the whole body in base64, if
    bytes of it had to be replaced.
    """

    callback_id: str | None = None
    id_signed: bool | None = None
    occurred_at: Time | None = None
    signed_by: str | None = None
    digest: str | None = None
    workflow_run_id: str | None = None
    run_attempt: int | None = None
    attempt: int | None = None
    bent: dict[str, Any] = {}
    raw: str | None = None
    extra: dict[str, Any] = {}


class Machine(Received, frozen=True, kw_only=True, omit_defaults=True):
    """What a callback may say of the machine."""

    server_id: str | None = None
    server_ip: str | None = None
    tailscale_ip: str | None = None


class HeartbeatReceived(Received, frozen=True, kw_only=True, omit_defaults=True):
    """The workflow is alive.

    `claims` is True for the first sign of life of an attempt, which it claims. A heartbeat of the
    first release never claims.
    """

    claims: bool = False


class MetadataReported(Machine, frozen=True, kw_only=True, omit_defaults=True):
    """The machine has an identity and addresses."""


class StepReported(Machine, frozen=True, kw_only=True, omit_defaults=True):
    """The workflow reached a step.

    `in_workflow` is set only for a step of the job's definition that comes when the attempt has as
    many steps as its state holds; then the state holds it all the same.
    """

    step: str
    in_workflow: bool = False


class StatusReported(Machine, frozen=True, kw_only=True, omit_defaults=True):
    """The workflow said how the job stands.

    `other_machine` is set only for `stopped` of one of several machines, which is not the attempt's
    last one. Earlier releases knew one machine of an attempt, so there the attempt stopped.
    """

    status: Literal["provisioning", "running", "failed", "cancelled", "stopped"]
    step: str | None = None
    failed_step: str | None = None
    error: str | None = None
    other_machine: bool = False


class JobQueued(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The job was registered.

    `workflow` is `name@version`, the definition that it runs with, and `workflow_digest` tells what
    that definition said; earlier releases did not record it. `owner` is the user that the
    requesting token was bound to, `digest` the SHA-256 of the request.

    `requested_by` is the name of who asked, here and in other facts: any text, which says nothing
    of where it comes from. `token_id` is the token that asked, `admin` for that of the settings,
    and None at the command line and in earlier releases.
    """

    agent_id: str
    user_id: str | None = None
    region: str = "us-east"
    workflow: str
    workflow_digest: str | None = None
    idempotency_key: str | None = None
    requested_by: str | None = None
    token_id: str | None = None
    owner: str | None = None
    digest: str | None = None


class AttemptStarted(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """Another attempt of the job began; `number` counts attempts from 1, in the order of opening.

    `because` says what opened it: another `run`; a `rerun` under the same name or none; `evidence`
    that a machine runs after all; a `failure` that is not the present attempt's; an operator's
    `retry`, with `requested_by` and `reason`. The attempt is older than the attempt `before`, if
    that is given. Events of the first release have neither.
    """

    number: int
    occurred_at: Time | None = None
    workflow_run_id: str | None = None
    run_attempt: int | None = None
    because: Literal["run", "rerun", "evidence", "failure", "retry"] | None = None
    before: int | None = None
    requested_by: str | None = None
    token_id: str | None = None
    reason: str | None = None


class JobTimedOut(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """Milepost inferred that the attempt is dead.

    `silent_since` is the last sign of life: the last heartbeat, else the claim, else the
    registration. `deadline` is the one that was missed, and `due_at` the moment it was due; it was
    later than that for the store's clock, corrected for jumps. `held` says why the timeout waited,
    if it did.
    """

    attempt: int
    silent_since: Time
    error: str
    deadline: DeadlineKind = "heartbeat"
    due_at: Time | None = None
    held: str | None = None


class TimeoutWithdrawn(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The attempt was not dead after all: a later word of its run came."""

    attempt: int


class AttemptFailed(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """An operator ended the attempt as failed."""

    attempt: int
    requested_by: str | None = None
    token_id: str | None = None
    reason: str | None = None


class AttemptCancelled(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """An operator ended the attempt, because nobody wants its result."""

    attempt: int
    requested_by: str | None = None
    token_id: str | None = None
    reason: str | None = None


class MachineStopped(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """An operator or a program confirmed that the attempt's machine is gone.

    Without `requested_by`: a `stopped` of a newer attempt on this machine confirmed it.
    `server_id` names the machine if it is another one than the attempt's last.
    """

    attempt: int
    requested_by: str | None = None
    token_id: str | None = None
    reason: str | None = None
    server_id: str | None = None


class CallbackRefused(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """An authentic callback was refused.

    `reason` is a word of a fixed list; `detail` is the sentence that its sender got. `body`
    is the body as text, or in base64 if it is not UTF-8 (`is_base64`).
    """

    reason: str
    detail: str | None = None
    signed_by: str | None = None
    digest: str | None = None
    callback_id: str | None = None
    body: str | None = None
    is_base64: bool = False


class StopRequested(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody asked the running instance to stop."""

    requested_by: str | None = None
    token_id: str | None = None
    reason: str | None = None


class RollbackRequested(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The attempt failed and left a machine behind, which has to be removed.

    There is one for each machine that the attempt reported.
    """

    attempt: int
    server_id: str | None = None
    server_ip: str | None = None


class RollbackWithdrawn(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The attempt's machine is not to be removed: it is wanted, or a newer attempt answers for it.

    `server_id` names the machine if it is not the first that a rollback of the attempt named.
    """

    attempt: int
    server_id: str | None = None


def topic_of(fact: type[Fact]) -> str:
    """Return the topic of a fact's rows: `StepReported`, `StepReported:2` for shape 2."""
    return fact.__name__ if fact.SHAPE == 1 else f"{fact.__name__}:{fact.SHAPE}"


CATALOGUE: dict[str, type[Fact]] = {
    topic_of(fact): fact
    for fact in (
        HeartbeatReceived,
        MetadataReported,
        StepReported,
        StatusReported,
        JobQueued,
        AttemptStarted,
        JobTimedOut,
        TimeoutWithdrawn,
        AttemptFailed,
        AttemptCancelled,
        MachineStopped,
        CallbackRefused,
        StopRequested,
        RollbackRequested,
        RollbackWithdrawn,
    )
}


class JobEvent(msgspec.Struct, frozen=True, gc=False):
    """A fact at its place: the `originator_version`-th event of the job `originator_id`.

    The eventsourcing library chose both names. Versions count from 1 without gaps. `position` is
    the event's number in the whole store, or 0 where it is unknown or not asked for.
    """

    originator_id: str
    originator_version: int
    fact: Fact
    position: int = 0
