"""A workflow with every kind of deadline, and facts of a job that runs with it."""

from __future__ import annotations

from domain.job.events import HeartbeatReceived, JobQueued, StatusReported, StepReported
from domain.workflows.definition import Deadlines, Step, UiStep, Workflow
from tests.support.jobs.strategies import minute
from tests.support.stores.deployment import NOON

WORKFLOW = Workflow(
    name="oven",
    version=1,
    waiting="cold",
    started="warm",
    blame="warm",
    ui_steps=(UiStep("cold", "Cold"), UiStep("warm", "Warm")),
    steps=(Step("lit", "cold", ("fire",), deadline_seconds=300), Step("heated", "warm")),
    deadlines=Deadlines(start_seconds=600, heartbeat_seconds=120, attempt_seconds=1800),
)
QUEUED = JobQueued(recorded_at=NOON, agent_id="agent", workflow="oven@1")
CLAIMED = StatusReported(recorded_at=minute(1), status="provisioning")


def heard(at: float) -> HeartbeatReceived:
    return HeartbeatReceived(recorded_at=minute(at))


def step(name: str, at: float) -> StepReported:
    return StepReported(recorded_at=minute(at), step=name)
