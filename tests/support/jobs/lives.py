"""A few jobs with everything that can happen to them, in an order that mixes them."""

from __future__ import annotations

from domain.job.callback import Callback
from domain.job.commands.registration import QueueJob
from tests.support.stores.deployment import Deployment

MACHINE = {"server_id": "srv-1", "server_ip": "203.0.113.7", "tailscale_ip": "100.64.0.7"}


def live(made: Deployment) -> int:
    """Let all that happen, a second apart; return the log's position."""
    milepost, clock = made.milepost, made.clock

    def hear(job_id: str, **said: object) -> None:
        clock.advance(1)
        milepost.record(Callback(job_id=job_id, **said))  # type: ignore[arg-type]

    hear("early/ä", type="heartbeat", callback_id="first", digest="d1")
    milepost.queue(
        QueueJob(
            job_id="early/ä",
            agent_id="agent-1",
            user_id="ada",
            workflow="vm@1",
            idempotency_key="key-1",
            digest="d2",
        )
    )
    hear("early/ä", status="provisioning", callback_id="second", workflow_run_id="1")
    milepost.queue(QueueJob(job_id="plain", agent_id="agent-2", user_id="bob", workflow="vm@1"))
    hear("plain", status="provisioning", step="vm_created", extra={"note": "☁", "load": 0.5})
    hear("early/ä", status="failed", callback_id="third", digest="d3", **MACHINE)
    hear("early/ä", status="provisioning", workflow_run_id="2", error='=HYPERLINK("http://x")')
    hear("plain", status="running", callback_id="whole", digest="d4", **MACHINE)
    milepost.stop("plain", "bob")
    hear("stray", status="provisioning", step="never_heard_of", occurred_at=clock.now)
    clock.advance(1000)
    milepost.time_out("stray")
    milepost.queue(QueueJob(job_id="waiting", agent_id="agent-2", user_id="bob", workflow="vm@1"))
    return made.read_model.log.newest_position()
