"""The jobs of the drill: five that are alive, one that died, and one whose workflow never came."""

from __future__ import annotations

import http.client
from threading import Event, Thread
from time import monotonic
from typing import Any, Final

from tests.support.processes.server import Server

ALIVE: Final = tuple(f"alive-{number}" for number in range(1, 6))
DEAD: Final = "dead"
PENDING: Final = "pending"
HEARTBEAT_SECONDS: Final = 60
CURL_SECONDS: Final = 10
"""How long a heartbeat waits for its answer, as `curl --max-time 10 … || true`."""
NO_ANSWER: Final = (OSError, http.client.HTTPException)


def register(server: Server, workflow: str) -> None:
    """Register all jobs, and let each but the pending one be claimed. The dead one is the last."""
    for job_id in (PENDING, *ALIVE, DEAD):
        about = {"job_id": job_id, "agent_id": job_id, "user_id": job_id, "workflow": workflow}
        answer = server.post("/api/jobs", about)
        assert answer.status == 201, answer
        if job_id != PENDING:
            claim = {"job_id": job_id, "status": "provisioning", "workflow_run_id": f"run-{job_id}"}
            answer = server.callback(claim)
            assert answer.status == 200, answer


class Heartbeats:
    """A thread that sends a heartbeat of each job that is alive, every 60 s, and never gives up."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._end = Event()
        self._thread = Thread(target=self._send, name="heartbeats")
        self.answered = 0
        self.unanswered = 0

    def __enter__(self) -> Heartbeats:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _send(self) -> None:
        following = monotonic()
        while not self._end.wait(max(0, following - monotonic())):
            following += HEARTBEAT_SECONDS
            for job_id in ALIVE:
                if self._end.is_set():
                    return
                try:
                    answer = self._server.callback({"job_id": job_id, "type": "heartbeat"})
                except NO_ANSWER:
                    self.unanswered += 1
                else:
                    self.answered += answer.status == 200
                    self.unanswered += answer.status != 200


def timeouts(server: Server, job_id: str) -> list[dict[str, Any]]:
    """Return the job's timeouts, also one that was taken back."""
    answer = server.get(f"/api/jobs/{job_id}/events")
    assert answer.status == 200, answer
    return [each["payload"] for each in answer.body["events"] if each["kind"] == "JobTimedOut"]
