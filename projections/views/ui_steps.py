"""The UI steps: a job's progress as a person sees it, derived from the workflow at each read.

So a relabelled step needs no rebuild, and a page computes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from domain.workflows.definition import UiStatus, Workflow
from projections.views.instance import InProgress, InstanceStatus


class ShownStep(msgspec.Struct, frozen=True):
    """A UI step and its status."""

    id: str
    label: str
    status: UiStatus


def ui_steps(
    workflow: Workflow,
    status: InstanceStatus,
    current_step: str | None = None,
    failed_at_step: str | None = None,
    cancelled_while: InProgress | None = None,
) -> list[ShownStep]:
    """Return the workflow's UI steps, each with its status (seed contract, "Steps").

    `cancelled_while` is the status before a cancellation, which is shown at the step that was
    active then: the workflow's `blame` is a guess about failures only.
    """
    if cancelled_while:
        was: InProgress = "provisioning" if failed_at_step else cancelled_while
        frontier, _ = _frontier(workflow, was, failed_at_step, None)
        return list(_shown(workflow, frontier, "error"))
    return list(_shown(workflow, *_frontier(workflow, status, current_step, failed_at_step)))


def _frontier(
    workflow: Workflow, status: InstanceStatus, current_step: str | None, failed_at: str | None
) -> tuple[str | None, UiStatus]:
    """Return the first UI step that is not completed, None if all are; and that step's status."""
    activated_by = workflow.activated_by
    match status:
        case "pending":
            return workflow.waiting, "active"
        case "provisioning":
            return activated_by.get(current_step or "", workflow.started), "active"
        case "failed":
            return activated_by.get(failed_at or "", workflow.blame), "error"
        case "running" | "stopping" | "stopped":
            return None, "completed"


def _shown(workflow: Workflow, frontier: str | None, at_frontier: UiStatus) -> Iterator[ShownStep]:
    status: UiStatus = "completed"
    for step in workflow.ui_steps:
        if step.id == frontier:
            yield ShownStep(step.id, step.label, at_frontier)
            status = "pending"
        else:
            yield ShownStep(step.id, step.label, status)
