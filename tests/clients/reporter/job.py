"""A registered job, and the reporter that has its key."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.clients.reporter.gate import Gate
from tests.clients.reporter.program import Program
from tests.support.processes.server import Server


class Job:
    """A registered job, and the reporter that has its key and reaches it through the gate."""

    def __init__(self, milepost: Server, gate: Gate, home: Path) -> None:
        self._milepost, self.gate = milepost, gate
        self.id = f"job-{uuid4().hex[:8]}"
        registration = {"job_id": self.id, "agent_id": f"agent of {self.id}"}
        self.registered = milepost.post("/api/jobs", registration).body
        self.key = str(self.registered["callback_key"])
        url = f"http://127.0.0.1:{gate.port}/api/callbacks/{self.id}"
        self.report = Program(home, url, self.key)

    @property
    def shown(self) -> Any:
        """The job as Milepost shows it."""
        return self._milepost.get(f"/api/jobs/{self.id}").body

    def events(self) -> list[dict[str, Any]]:
        """Return what Milepost has recorded of callbacks."""
        answer = self._milepost.get(f"/api/jobs/{self.id}/events?limit=500")
        return [each for each in answer.body["events"] if each["callback_id"]]

    def said(self) -> list[str]:
        """Return what callbacks said, in the order of their own times."""
        events = sorted(self.events(), key=lambda event: event["occurred_at"])
        return [said_by(event) for event in events]


def said_by(event: dict[str, Any]) -> str:
    """Return what an event said, in a word."""
    facts = event["payload"]
    return str(facts.get("step") or facts.get("status") or event["kind"])
