"""The place where a workflow of one registered job runs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.docs.senders.page import REPORTER
from tests.support.processes.server import Server

PATIENCE_SECONDS = 120
"""How long an example may take before it counts as hung; Terraform and Ansible take seconds."""


class Workplace:
    """A folder with the reporter in it and in the path, and the environment of a workflow."""

    def __init__(self, milepost: Server, folder: Path) -> None:
        self.milepost, self.folder = milepost, folder
        self.id = f"job-{uuid4().hex[:8]}"
        registration = {"job_id": self.id, "agent_id": f"agent of {self.id}"}
        self.registered = milepost.post("/api/jobs", registration).body
        shutil.copy(REPORTER, folder / "milepost-report")
        self.env = {
            "PATH": f"{folder}:{os.environ['PATH']}",
            "HOME": str(folder),
            "MILEPOST_CALLBACK_URL": self.registered["callback_url"],
            "MILEPOST_CALLBACK_KEY": self.registered["callback_key"],
            "MILEPOST_WAIT": "25",  # a busy machine must not fail a test
        }

    def program(self, name: str, script: str = "") -> Path:
        """Put a program into the path."""
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    def run(self, script: str, shell: str = "bash", **env: str) -> subprocess.CompletedProcess[str]:
        """Run a script in the folder."""
        return subprocess.run(
            [shell, "-c", script],
            cwd=self.folder,
            env={**self.env, **env},
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    @property
    def shown(self) -> Any:
        """The job as Milepost shows it."""
        return self.milepost.get(f"/api/jobs/{self.id}").body

    def said(self) -> list[str]:
        """Return what callbacks said, in the order of their own times."""
        events = self.milepost.get(f"/api/jobs/{self.id}/events?limit=500").body["events"]
        said = [each for each in events if each["callback_id"]]
        said.sort(key=lambda event: event["occurred_at"] or event["recorded_at"])
        payloads = [each["payload"] for each in said]
        return [str(each.get("step") or each.get("status")) for each in payloads]
