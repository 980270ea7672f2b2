"""A running Milepost, as a sender and an operator see it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any, Final

from api.client.server import NO_MILEPOST, NoServer, Refused, RemoteServer
from api.demo.story import AGENT_PREFIX

SEEN_JOBS: Final = 100
"""How many jobs are looked at to find one that is not of the demo."""


class Server(RemoteServer):
    """The server at a URL, for the holder of a token that may write."""

    def __init__(self, url: str, token: str) -> None:
        super().__init__(url, token)
        self._keys: dict[str, bytes] = {}

    def has_other_jobs(self) -> bool:
        """Tell whether the store has a job of an agent that is not the demo's.

        If all of the newest jobs are the demo's, older ones count as others.
        """
        jobs = self.ask("GET", f"/api/jobs?limit={SEEN_JOBS}").get("jobs")
        if jobs is None:
            raise NoServer(NO_MILEPOST)
        ours = [job for job in jobs if str(job["agent_id"]).startswith(AGENT_PREFIX)]
        return len(ours) < len(jobs) or len(jobs) == SEEN_JOBS

    def register(self, job_id: str, agent_id: str, workflow: str) -> None:
        """Register a job, and remember the key that signs its callbacks."""
        job = {"job_id": job_id, "agent_id": agent_id, "workflow": workflow}
        key = self.ask("POST", "/api/jobs", job)["callback_key"]
        self._keys[job_id] = base64.b64decode(key.removeprefix("whsec_"))

    def report(self, job_id: str, callback_id: str, callback: Mapping[str, object]) -> None:
        """Send a callback to the job's own URL, signed with its key as Standard Webhooks says."""
        body = json.dumps(callback).encode()
        sent_at = str(int(time.time()))
        signed = b".".join((callback_id.encode(), sent_at.encode(), body))
        signature = hmac.digest(self._keys[job_id], signed, hashlib.sha256)
        headers = {
            "webhook-id": callback_id,
            "webhook-timestamp": sent_at,
            "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
        }
        self.send("POST", f"/api/callbacks/{job_id}", body, headers)

    def command(self, job_id: str, name: str, reason: str) -> None:
        """Give an operator's command about a job."""
        self.ask("POST", f"/api/jobs/{job_id}/{name}", {"reason": reason})

    def job(self, job_id: str) -> dict[str, Any]:
        """Return the job as it is now."""
        return self.ask("GET", f"/api/jobs/{job_id}")

    def why_nothing_times_out(self) -> str:
        """Return why the server gives no job up at present; an empty text if it does."""
        try:
            deadlines = str(self.ask("GET", "/readyz")["deadlines"])
        except Refused:  # a proxy may let nobody ask
            return ""
        return "" if deadlines == "watched" else deadlines
