"""One message from a workflow, and the facts that it states (seed contract, "Routing")."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from domain.job.events import (
    HeartbeatReceived,
    MetadataReported,
    Received,
    StatusReported,
    StepReported,
)

Status = Literal["provisioning", "running", "failed"]


class Callback(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An authentic, well-formed callback; absent and empty fields are None."""

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
    occurred_at: datetime | None = None
    signed_by: str | None = None
    digest: str | None = None
    extra: dict[str, Any] = {}

    @property
    def machine(self) -> dict[str, str | None]:
        """What the callback says of the machine."""
        return {
            "server_id": self.server_id,
            "server_ip": self.server_ip,
            "tailscale_ip": self.tailscale_ip,
        }

    def facts(self, recorded_at: datetime) -> list[Received]:
        """State the callback as facts: two for `running` with a whole machine, else one."""
        said = {
            "recorded_at": recorded_at,
            "callback_id": self.callback_id,
            "occurred_at": self.occurred_at,
            "signed_by": self.signed_by,
            "digest": self.digest,
            "workflow_run_id": self.workflow_run_id,
        }
        machine = self.machine
        if self.type == "heartbeat":
            return [HeartbeatReceived(**said, extra=self._extra("status", "step", *_REST))]  # type: ignore[arg-type]
        if self.status == "provisioning" and self.step:
            extra = self._extra("type", "error", "failed_step")
            return [StepReported(**said, **machine, step=self.step, extra=extra)]  # type: ignore[arg-type]
        assert self.status is not None  # the schema asks for a status or a type
        whole = self.status == "running" and all(machine.values())
        status = StatusReported(
            **said,  # type: ignore[arg-type]
            **({} if whole else machine),  # type: ignore[arg-type]
            status=self.status,
            step=self.step,
            failed_step=self.failed_step,
            error=self.error,
            extra=self._extra("type"),
        )
        return [MetadataReported(**said, **machine), status] if whole else [status]  # type: ignore[arg-type]

    def _extra(self, *fields: str) -> dict[str, Any]:
        # Known fields that this kind of fact has no place for are kept with the unknown ones.
        kept = {name: value for name in fields if (value := getattr(self, name)) is not None}
        return {**self.extra, **kept} if kept else self.extra


_REST = ("error", "failed_step", "server_id", "server_ip", "tailscale_ip")
