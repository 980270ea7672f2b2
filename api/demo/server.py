"""A running Milepost, as a sender and an operator see it: over HTTP, with the standard library."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from api.demo.story import AGENT_PREFIX

TIMEOUT_SECONDS: Final = 20
"""Longer than the server's own deadline of 15 s, so that its 503 arrives."""
SEEN_JOBS: Final = 100
"""How many jobs are looked at to find one that is not of the demo."""
NO_MILEPOST: Final = "what answers is no Milepost"


class NoServer(Exception):
    """Nothing that speaks as Milepost does answers at the URL."""


class Refused(Exception):
    """The server refused a request: its status, and what it says about it."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class Server:
    """The server at a URL, for the holder of a token that may write."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        self._parts = urlsplit(self.url)
        self._reader = {"Authorization": f"Bearer {token}"}
        self._keys: dict[str, bytes] = {}

    def has_other_jobs(self) -> bool:
        """Tell whether the store has a job of an agent that is not the demo's.

        If all of the newest jobs are the demo's, older ones count as others.
        """
        jobs = self._ask("GET", f"/api/jobs?limit={SEEN_JOBS}").get("jobs")
        if jobs is None:
            raise NoServer(NO_MILEPOST)
        ours = [job for job in jobs if str(job["agent_id"]).startswith(AGENT_PREFIX)]
        return len(ours) < len(jobs) or len(jobs) == SEEN_JOBS

    def register(self, job_id: str, agent_id: str, workflow: str) -> None:
        """Register a job, and remember the key that signs its callbacks."""
        job = {"job_id": job_id, "agent_id": agent_id, "workflow": workflow}
        key = self._ask("POST", "/api/jobs", job)["callback_key"]
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
        self._send("POST", f"/api/callbacks/{job_id}", body, headers)

    def command(self, job_id: str, name: str, reason: str) -> None:
        """Give an operator's command about a job."""
        self._ask("POST", f"/api/jobs/{job_id}/{name}", {"reason": reason})

    def job(self, job_id: str) -> dict[str, Any]:
        """Return the job as it is now."""
        return self._ask("GET", f"/api/jobs/{job_id}")

    def why_nothing_times_out(self) -> str:
        """Return why the server gives no job up at present; an empty text if it does."""
        try:
            deadlines = str(self._ask("GET", "/readyz")["deadlines"])
        except Refused:  # a proxy may let nobody ask
            return ""
        return "" if deadlines == "watched" else deadlines

    def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        raw = None if body is None else json.dumps(body).encode()
        try:
            answer = json.loads(self._send(method, path, raw, self._reader))
        except ValueError as error:
            raise NoServer(NO_MILEPOST) from error
        if not isinstance(answer, dict):
            raise NoServer(NO_MILEPOST)
        return answer

    def _send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> bytes:
        """Send a request over a connection of its own; raise `NoServer` or `Refused`."""
        connection = _connection(self._parts)
        typed = {"Content-Type": "application/json", **headers}
        try:
            connection.request(method, self._parts.path + path, body, typed)
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise NoServer(str(error) or type(error).__name__) from error
        finally:
            connection.close()
        if response.status >= 400:
            raise Refused(response.status, _detail(text) or response.reason)
        return text


def _connection(parts: SplitResult) -> http.client.HTTPConnection:
    host, port = parts.hostname or "", parts.port
    if parts.scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS)
    return http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)


def _detail(text: bytes) -> str:
    """Return what a problem document says; an empty text if it is none (RFC 9457)."""
    try:
        problem = json.loads(text)
    except ValueError:
        return ""
    if not isinstance(problem, dict):
        return ""
    return str(problem.get("detail") or problem.get("title") or "")
