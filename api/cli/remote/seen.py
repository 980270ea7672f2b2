"""What is seen of a job: the part of its document that the terminal shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from rich.text import Text

from api.cli.terminal.tables import status_text
from projections.views.ui_steps import ShownStep

HEALTH: Final = {"late": "yellow", "unresponsive": "bold red"}


class Seen(NamedTuple):
    """A job at a moment. `began` and `ended` are when its attempt did, as far as is known.

    `attempt` is 0 where the document does not say which one it is. `changes_at` is when its health
    is another one without an event; None for never. `says_when` is False for the document of an
    earlier release, which does not have that time.
    """

    job_id: str
    agent_id: str | None
    attempt: int
    status: str
    outcome: str | None
    steps: Sequence[ShownStep]
    error: str | None
    health: str
    sentence: str | None
    began: datetime | None
    ended: datetime | None
    changed: datetime | None
    changes_at: datetime | None
    says_when: bool = True

    @property
    def has_ended(self) -> bool:
        """True if nothing more is expected of the job."""
        return self.outcome is not None and self.status != "stopping"

    @property
    def present_step(self) -> ShownStep:
        """The step that is active or failed, or else the last one."""
        marked = (step for step in self.steps if step.status in ("active", "error"))
        return next(marked, self.steps[-1])

    def without_time(self) -> Seen:
        """Return what does not change by time alone."""
        return self._replace(changed=None, sentence=None, changes_at=None)

    def state(self) -> Text:
        """Return the job's status, and its health if that is worse than ok."""
        status = status_text(self.status, self.outcome)
        if self.health == "ok":
            return status
        return Text(", ").join((status, Text(self.health, HEALTH.get(self.health, ""))))


def seen_job(document: Mapping[str, Any]) -> Seen:
    """Return what is seen of the document of a job."""
    health = document["health"] or {}
    return Seen(
        job_id=document["id"],
        agent_id=document["agent_id"],
        attempt=document["attempt"],
        status=document["status"],
        outcome=document["outcome"],
        steps=_steps(document),
        error=document["error"],
        health=health.get("state", "ok"),
        sentence=health.get("sentence"),
        began=_began(document),
        ended=_time(document["completed_at"]),
        changed=_time(document["updated_at"]),
        changes_at=_time(health.get("changes_at")),
        says_when=document["health"] is None or "changes_at" in health,
    )


def seen_instance(document: Mapping[str, Any]) -> Seen:
    """Return what is seen of the instance of an agent: its newest job."""
    instance, health = document["instance"], document["health"]
    return Seen(
        job_id=instance["id"],
        agent_id=instance["agentId"],
        attempt=instance.get("attempt", 0),
        status=instance["status"],
        outcome=instance["outcome"],
        steps=_steps(document),
        error=instance["error"],
        health=health["state"],
        sentence=health["sentence"],
        began=_began_of_instance(instance),
        ended=_time(instance.get("completedAt") or instance["startedAt"]),
        changed=_time(instance["updatedAt"]),
        changes_at=_time(health.get("changesAt")),
        says_when="changesAt" in health,
    )


def _steps(document: Mapping[str, Any]) -> Sequence[ShownStep]:
    return [ShownStep(step["id"], step["label"], step["status"]) for step in document["steps"]]


def _began(document: Mapping[str, Any]) -> datetime | None:
    # A server of an earlier release does not say since when a retry waits.
    waiting = document["claimed_at"] or document.get("waiting_since")
    return _time(waiting or document["created_at"])


def _began_of_instance(instance: Mapping[str, Any]) -> datetime | None:
    # A server of an earlier release says neither of an instance.
    waiting = instance.get("claimedAt") or instance.get("waitingSince")
    return _time(waiting or instance["createdAt"])


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
