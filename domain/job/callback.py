"""One message from a workflow and the facts that it states (seed contract, "Routing")."""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime
from typing import Any, Final, Literal, get_args

import msgspec

from domain.job.events import (
    CallbackRefused,
    HeartbeatReceived,
    MetadataReported,
    Received,
    StatusReported,
    StepReported,
)
from domain.job.mandate import Mandate

HEARTBEAT: Final = "heartbeat"
NOT_OF_A_HEARTBEAT = (
    "status",
    "step",
    "error",
    "failed_step",
    "server_id",
    "server_ip",
    "tailscale_ip",
)
"""The known fields that a heartbeat may carry; they are kept, and say nothing."""

Status = Literal["provisioning", "running", "failed", "cancelled", "stopped"]
STATUSES: tuple[Status, ...] = get_args(Status)


class Callback(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An authentic, well-formed callback. Absent and empty fields are None.

    `size` is how many bytes its body has. `mandate` says which jobs the sender may report on; None
    for all.
    """

    job_id: str
    type: str | None = None
    status: Status | None = None
    step: str | None = None
    workflow_run_id: str | None = None
    error: str | None = None
    failed_step: str | None = None
    server_id: str | None = None
    server_ip: str | None = None
    tailscale_ip: str | None = None
    callback_id: str | None = None
    id_signed: bool | None = None
    occurred_at: datetime | None = None
    signed_by: str | None = None
    digest: str | None = None
    run_attempt: int | None = None
    bent: dict[str, Any] = {}
    raw: str | None = None
    extra: dict[str, Any] = {}
    size: int = 0
    mandate: Mandate | None = None

    @property
    def is_heartbeat(self) -> bool:
        """True for a sign of life; one without a status is nothing else, whatever its type."""
        return self.type == HEARTBEAT or self.status is None

    def facts(self, recorded_at: datetime) -> list[Received]:
        """Return the facts that the callback states.

        `running` with a whole machine is two facts: the machine, then the status. Every other
        callback is one fact. A callback of an unknown type without a status is a sign of life.
        """
        if self.type == HEARTBEAT or self.status is None:
            return [self._heartbeat(recorded_at)]
        if self.status == "provisioning" and self.step:
            return [self._step(recorded_at, self.step)]
        if self.status == "running" and self.server_id and self.server_ip and self.tailscale_ip:
            return [self._metadata(recorded_at), self._status(recorded_at, self.status, False)]
        return [self._status(recorded_at, self.status, True)]

    # The fields are spelt out: merging dictionaries took five times as long as making the fact.

    def _heartbeat(self, recorded_at: datetime) -> HeartbeatReceived:
        is_known = self.type == HEARTBEAT
        return HeartbeatReceived(
            recorded_at=recorded_at,
            callback_id=self.callback_id,
            id_signed=self.id_signed,
            occurred_at=self.occurred_at,
            signed_by=self.signed_by,
            digest=self.digest,
            workflow_run_id=self.workflow_run_id,
            run_attempt=self.run_attempt,
            bent=self.bent,
            raw=self.raw,
            extra=self._extra(*NOT_OF_A_HEARTBEAT, *(() if is_known else ("type",))),
        )

    def _step(self, recorded_at: datetime, step: str) -> StepReported:
        return StepReported(
            recorded_at=recorded_at,
            callback_id=self.callback_id,
            id_signed=self.id_signed,
            occurred_at=self.occurred_at,
            signed_by=self.signed_by,
            digest=self.digest,
            workflow_run_id=self.workflow_run_id,
            run_attempt=self.run_attempt,
            bent=self.bent,
            raw=self.raw,
            server_id=self.server_id,
            server_ip=self.server_ip,
            tailscale_ip=self.tailscale_ip,
            step=step,
            extra=self._extra("type", "error", "failed_step"),
        )

    def _metadata(self, recorded_at: datetime) -> MetadataReported:
        return MetadataReported(
            recorded_at=recorded_at,
            callback_id=self.callback_id,
            id_signed=self.id_signed,
            occurred_at=self.occurred_at,
            signed_by=self.signed_by,
            digest=self.digest,
            workflow_run_id=self.workflow_run_id,
            run_attempt=self.run_attempt,
            server_id=self.server_id,
            server_ip=self.server_ip,
            tailscale_ip=self.tailscale_ip,
        )

    def _status(self, recorded_at: datetime, status: Status, with_machine: bool) -> StatusReported:
        return StatusReported(
            recorded_at=recorded_at,
            callback_id=self.callback_id,
            id_signed=self.id_signed,
            occurred_at=self.occurred_at,
            signed_by=self.signed_by,
            digest=self.digest,
            workflow_run_id=self.workflow_run_id,
            run_attempt=self.run_attempt,
            bent=self.bent,
            raw=self.raw,
            server_id=self.server_id if with_machine else None,
            server_ip=self.server_ip if with_machine else None,
            tailscale_ip=self.tailscale_ip if with_machine else None,
            status=status,
            step=self.step,
            failed_step=self.failed_step,
            error=self.error,
            extra=self._extra("type"),
        )

    def _extra(self, *fields: str) -> dict[str, Any]:
        # Known fields that this kind of fact has no place for are stored with the unknown ones.
        known = {name: value for name in fields if (value := getattr(self, name)) is not None}
        return {**self.extra, **known} if known else self.extra


class RefusedCallback(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An authentic callback that was refused, whose job can be read. See `CallbackRefused`."""

    job_id: str
    reason: str
    detail: str
    body: bytes
    signed_by: str | None = None
    callback_id: str | None = None
    digest: str | None = None
    mandate: Mandate | None = None

    def fact(self, recorded_at: datetime) -> CallbackRefused:
        """Return the fact that it was refused."""
        try:
            text, is_base64 = self.body.decode(), False
        except UnicodeDecodeError:
            text, is_base64 = b64encode(self.body).decode(), True
        return CallbackRefused(
            recorded_at=recorded_at,
            reason=self.reason,
            detail=self.detail,
            signed_by=self.signed_by,
            digest=self.digest,
            callback_id=self.callback_id,
            body=text,
            is_base64=is_base64,
        )
