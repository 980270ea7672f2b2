"""The stepper: a job's UI steps with the time that each one took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from domain.workflows.definition import Workflow
from projections.views.ui_steps import ShownStep


class Stage(msgspec.Struct, frozen=True):
    """A UI step: its label and status, and when it began and ended, as far as that is known."""

    id: str
    label: str
    status: str
    since: str | None = None
    until: str | None = None


def stages(
    steps: Sequence[ShownStep], timeline: Mapping[str, Any], workflow: Workflow
) -> list[Stage]:
    """Return the UI steps with the times of the attempt that is shown."""
    shown = next((each for each in timeline["attempts"] if each["present"]), None)
    began = _began(shown, timeline["queued_at"], workflow) if shown else {}
    ended = _ended(shown) if shown else None
    made = list[Stage]()
    following = ended
    for step in reversed(steps):
        since = began.get(step.id) if step.status != "pending" else None
        if (
            since
            and following
            and datetime.fromisoformat(since) > datetime.fromisoformat(following)
        ):
            since = None
        until = following if step.status != "active" else None
        made.append(Stage(step.id, step.label, step.status, since, until))
        following = since or following
    return made[::-1]


def _ended(attempt: Mapping[str, Any]) -> str | None:
    """Return when the last step ended, which may be before the end of the attempt."""
    reached = [step["finished_at"] for step in attempt["steps"] if not step["late"]]
    ended: str | None = reached[-1] if reached else attempt["finished_at"]
    return ended


def _began(attempt: Mapping[str, Any], queued_at: str | None, workflow: Workflow) -> dict[str, str]:
    """Return when each UI step became active for the first time in the attempt."""
    began = dict[str, str]()
    if queued_at and attempt["number"] == 1:
        began[workflow.waiting] = queued_at
    if attempt["started_at"]:
        began.setdefault(workflow.started, attempt["started_at"])
    for step in attempt["steps"]:
        if step["ui_step"] and not step["late"]:
            began.setdefault(step["ui_step"], step["started_at"])
    return began
