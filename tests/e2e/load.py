"""A bounded load of callbacks that notes what was answered."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Event, Lock
from typing import Any

from tests.support.processes.server import Answer, Server

MACHINE = {"server_id": "srv", "server_ip": "203.0.113.7", "tailscale_ip": "100.64.0.7"}
STEPS = ("vm_created", "network_configured", "ansible_started", "ansible_complete")


class Load:
    """Threads that post callbacks for a few jobs until told to stop, at most `limit` of them.

    `receipts` holds the receipt of every callback that was answered 200, `unknown` the callbacks
    that got no answer: those may or may not be stored.
    """

    def __init__(self, server: Server, *, jobs: int, threads: int, limit: int) -> None:
        self.receipts: dict[str, Any] = {}
        self.unknown: dict[str, dict[str, object]] = {}
        self._server = server
        self._jobs, self._threads, self._limit = jobs, threads, limit
        self._numbers = count()
        self._lock = Lock()
        self._stop = Event()
        self._pool = ThreadPoolExecutor(threads)

    def start(self) -> Load:
        """Begin, and go on in the background."""
        self._running = [self._pool.submit(self._post_until_stopped) for _ in range(self._threads)]
        return self

    def finish(self) -> None:
        """Stop, and raise what went wrong in a thread."""
        self._stop.set()
        self._pool.shutdown()
        for thread in self._running:
            thread.result()

    def redeliver_unknown(self) -> None:
        """Send again what got no answer, as a sender that retries does."""
        for callback_id, body in self.unknown.items():
            answer = self._server.callback(body)
            assert answer.status == 200, answer
            self.receipts[callback_id] = answer.body

    def _post_until_stopped(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                number = next(self._numbers)
            if number >= self._limit:
                return
            body = body_of(number, self._jobs)
            callback_id = str(body["callback_id"])
            try:
                answer = self._server.callback(body)
            except (OSError, http.client.HTTPException):
                self.unknown[callback_id] = body
                # Nobody listens just now: look again a little later instead of spinning.
                self._stop.wait(0.02)
                continue
            if answer.status == 200:
                self.receipts[callback_id] = answer.body
            else:
                assert answer.status == 503, answer
                self.unknown[callback_id] = body


def body_of(number: int, jobs: int) -> dict[str, object]:
    """Return the callback of that number, for one of so many jobs."""
    body: dict[str, object] = {
        "job_id": f"job-{number % jobs}",
        "callback_id": f"callback-{number}",
        "workflow_run_id": str(number // 97),
    }
    match number % 12:
        case 0 | 3 | 6:
            return {**body, "type": "heartbeat"}
        case 4:  # opens the next attempt, when the last one has failed
            return {**body, "status": "provisioning"}
        case 7:  # asks for a rollback
            return {**body, "status": "failed", "error": "boom", "server_id": "srv"}
        case 10:  # two facts
            return {**body, "status": "running", **MACHINE}
        case _:
            return {**body, "status": "provisioning", "step": STEPS[number % 4]}


def at_once(times: int, request: Callable[[int], Answer]) -> list[Answer]:
    """Make that many requests at the same moment, each in a thread of its own."""
    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(request, range(times)))
