"""Senders that send everything several times, to any of the servers, until they are told to stop.

Each callback has its id in a header: in `webhook-id`, which its signature covers, or in
`Idempotency-Key`. Registrations have an `Idempotency-Key`, too, and leave it to Milepost to name
the job. So a registration that is lost and repeated gets another job.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import random
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from typing import Any, Literal, NamedTuple

from tests.e2e.load import body_of
from tests.support.processes.server import SECRET, TOKEN, Server
from tests.survive.waiting import until

JOBS = 40
MOST = 30_000
"""The most messages that are new; after them, senders only repeat."""
RECENT = 60
"""How many of the last messages are likely to be repeated: their commits may be under way still."""


class Message(NamedTuple):
    """What a sender sends, each time under the same id and with the same bytes."""

    id: str
    kind: Literal["webhook-id", "Idempotency-Key", "registration"]
    body: bytes


class Place(NamedTuple):
    """What a receipt says."""

    job_id: str
    version: int | None
    position: int | None


class Senders:
    """Threads that send callbacks and registrations, half of them repetitions.

    `places` has what the receipts for each id said, which must be one thing. `seed` makes a run
    like another one, as far as several processes can be.
    """

    def __init__(self, servers: Sequence[Server], *, threads: int, seed: int) -> None:
        self.places: defaultdict[str, set[Place]] = defaultdict(set)
        self.receipts: dict[str, Any] = {}
        self.answered = self.repeated = self.refused = 0
        self._answered_at, self._pause = time.monotonic(), 0.0
        self._servers = servers
        self._threads = threads
        self._chance = random.Random(seed)
        self._sent: list[Message] = []
        self._lock = Lock()
        self._stop = Event()
        self._pool = ThreadPoolExecutor(threads)

    @property
    def unknown(self) -> Mapping[str, object]:
        """The callbacks that never got a receipt."""
        return {
            each.id: each
            for each in self._sent
            if each.kind != "registration" and each.id not in self.receipts
        }

    @property
    def registered(self) -> Mapping[str, str]:
        """The job of each registration that was answered, by its idempotency key."""
        return {
            each.id: place.job_id
            for each in self._sent
            if each.kind == "registration"
            for place in self.places[each.id]
        }

    def start(self) -> Senders:
        """Begin, and go on in the background."""
        self._running = [self._pool.submit(self._send_until_stopped) for _ in range(self._threads)]
        return self

    def stop(self) -> None:
        """Stop, and return once every thread has ended."""
        self._stop.set()
        self._pool.shutdown()

    def finish(self) -> None:
        """Stop, and raise what went wrong in a thread."""
        self.stop()
        for thread in self._running:
            thread.result()

    def until_answered(self, more: int) -> None:
        """Wait for so many further receipts; raise what has ended a thread, if anything has."""
        goal = self.answered + more

        def enough() -> bool:
            for thread in self._running:
                if thread.done():
                    thread.result()
            return self.answered >= goal

        until(enough, "the servers give no receipts")

    def longest_pause(self) -> float:
        """Return for how many seconds nobody got a receipt, at most, since this was last asked."""
        with self._lock:
            pause, self._pause = self._pause, 0.0
        return pause

    def redeliver(self, known: int) -> None:
        """Send once more what has no receipt, and so many of the messages that have one."""
        missing = [each for each in self._sent if not self.places[each.id]]
        with_receipt = [each for each in self._sent if self.places[each.id]]
        known = min(known, len(with_receipt))
        for message in [*missing, *self._chance.sample(with_receipt, known)]:
            assert self._send(self._chance.choice(self._servers), message), message

    def _send_until_stopped(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                message = self._next()
                server = self._chance.choice(self._servers)
            if not self._send(server, message):
                # Nobody listens just now: look again a little later instead of spinning.
                self._stop.wait(0.02)

    def _next(self) -> Message:
        number = len(self._sent)
        if number and (number >= MOST or self._chance.random() < 0.5):
            self.repeated += 1
            recent = self._sent[-RECENT:] if self._chance.random() < 0.8 else self._sent
            return self._chance.choice(recent)
        self._sent.append(message_of(number))
        return self._sent[-1]

    def _send(self, server: Server, message: Message) -> bool:
        """Send a message; tell whether there is a receipt for it."""
        path = "/api/jobs" if message.kind == "registration" else "/api/webhooks/github"
        try:
            answer = server.request("POST", path, message.body, headers_of(message))
        except (OSError, http.client.HTTPException):
            return False
        if answer.status == 503:
            self.refused += 1
            return False
        assert answer.status in (200, 201), (message, answer)
        said = answer.body
        with self._lock:
            self.answered += 1
            now = time.monotonic()
            self._pause = max(self._pause, now - self._answered_at)
            self._answered_at = now
            if message.kind == "registration":
                self.places[message.id].add(Place(said["id"], None, None))
            else:
                self.receipts[message.id] = said
                self.places[message.id].add(
                    Place(said["job_id"], said["version"], said["position"])
                )
        return True


def message_of(number: int) -> Message:
    """Return the message of that number: every 20th is a registration."""
    if number % 20 == 19:
        body = {"agent_id": f"agent-{number}"}
        return Message(f"registration-{number}", "registration", json.dumps(body).encode())
    callback = body_of(number, JOBS)
    callback_id = str(callback.pop("callback_id"))
    kind: Literal["webhook-id", "Idempotency-Key"]
    kind = "webhook-id" if number % 2 else "Idempotency-Key"
    return Message(callback_id, kind, json.dumps(callback).encode())


def headers_of(message: Message) -> dict[str, str]:
    """Return the head of a request that carries the message now."""
    if message.kind == "registration":
        return {"Authorization": f"Bearer {TOKEN}", "Idempotency-Key": message.id}
    if message.kind == "Idempotency-Key":
        signature = hmac.new(SECRET.encode(), message.body, hashlib.sha256).hexdigest()
        return {"X-Signature": signature, "Idempotency-Key": message.id}
    timestamp = str(int(time.time()))
    signed = f"{message.id}.{timestamp}.".encode() + message.body
    digest = hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()
    return {
        "webhook-id": message.id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


Send = Callable[[Sequence[Server]], Senders]
"""Starts senders to these servers."""
