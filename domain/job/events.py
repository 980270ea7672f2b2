"""The catalogue of facts: what callbacks said and what Milepost decided.

A fact is stored as plain JSON under the name of its class. A shape that was stored never changes: a
new field has a default, and a breaking change is a new shape with an upcaster from the old one
(`docs/evolution.md`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec

Time = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time that says its offset from UTC."""


class Fact(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Something that happened; `recorded_at` is the server's clock (UTC).

    `SHAPE` counts a class's shapes from 1. From the second shape on, the topic contains it.
    """

    SHAPE: ClassVar[int] = 1
    recorded_at: Time


class Received(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """What every callback says of itself.

    `occurred_at` is the sender's clock, if given. `signed_by` names scheme and key, as
    `x-signature:3f2a90c1`. `digest` is the SHA-256 of the raw body, in hex. `extra` holds every
    payload field that Milepost does not know, unchanged.
    """

    callback_id: str | None = None
    occurred_at: Time | None = None
    signed_by: str | None = None
    digest: str | None = None
    workflow_run_id: str | None = None
    extra: dict[str, Any] = {}


class Machine(Received, frozen=True, kw_only=True, omit_defaults=True):
    """What a callback may say of the machine."""

    server_id: str | None = None
    server_ip: str | None = None
    tailscale_ip: str | None = None


class HeartbeatReceived(Received, frozen=True, kw_only=True, omit_defaults=True):
    """The workflow is alive."""


class MetadataReported(Machine, frozen=True, kw_only=True, omit_defaults=True):
    """The machine has an identity and addresses."""


class StepReported(Machine, frozen=True, kw_only=True, omit_defaults=True):
    """The workflow reached a step."""

    step: str


class StatusReported(Machine, frozen=True, kw_only=True, omit_defaults=True):
    """The workflow said how the job stands."""

    status: Literal["provisioning", "running", "failed"]
    step: str | None = None
    failed_step: str | None = None
    error: str | None = None


class JobQueued(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The job was registered.

    `workflow` is `name@version`, the definition that it runs with. `owner` is the user that the
    requesting token was bound to, `digest` the SHA-256 of the request.
    """

    agent_id: str
    user_id: str | None = None
    region: str = "us-east"
    workflow: str
    idempotency_key: str | None = None
    requested_by: str | None = None
    owner: str | None = None
    digest: str | None = None


class AttemptStarted(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The workflow started again after a failure; `number` counts attempts from 1."""

    number: int
    occurred_at: Time | None = None
    workflow_run_id: str | None = None


class JobTimedOut(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """Milepost inferred that the attempt is dead: no callback has come since `silent_since`."""

    attempt: int
    silent_since: Time
    error: str


class StopRequested(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody asked the running instance to stop."""

    requested_by: str | None = None


class RollbackRequested(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The attempt failed and left a machine behind, which has to be removed."""

    attempt: int
    server_id: str | None = None
    server_ip: str | None = None


class RollbackWithdrawn(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The attempt had not failed after all: its machine is running and wanted."""

    attempt: int


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
