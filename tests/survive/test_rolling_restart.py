"""Two servers behind haproxy are restarted one after the other, and no request fails."""

from __future__ import annotations

import http.client
import json
import signal
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Event, Lock
from typing import Any

import pytest

from tests.e2e.inspection import assert_nothing_lost_nothing_doubled
from tests.e2e.load import body_of
from tests.support.processes.server import TOKEN, Make
from tests.survive import page
from tests.survive.balancer import PROXIES, Balance
from tests.survive.senders import Message, headers_of
from tests.survive.waiting import PATIENCE_SECONDS, until

pytestmark = pytest.mark.survive

ROUNDS = 2
BETWEEN = 200
"""How many answers there are from one restart to the next."""
JOBS = 20


class Clients:
    """Clients with connections that they keep. Each request must be answered as it should be."""

    def __init__(self, port: int, threads: int) -> None:
        self.receipts: dict[str, Any] = {}
        self.unknown: dict[str, object] = {}
        self.answered = 0
        self._port = port
        self._numbers = count()
        self._lock = Lock()
        self._stop = Event()
        self._pool = ThreadPoolExecutor(threads)
        self._running = [self._pool.submit(self._ask_until_stopped) for _ in range(threads)]

    def until_answered(self, more: int) -> None:
        """Wait for so many further answers; raise what has ended a client."""
        goal = self.answered + more

        def enough() -> bool:
            for thread in self._running:
                if thread.done():
                    thread.result()
            return self.answered >= goal

        until(enough, "nothing is answered")

    def finish(self) -> None:
        """Stop, and raise what went wrong."""
        self._stop.set()
        self._pool.shutdown()
        for thread in self._running:
            thread.result()

    def _ask_until_stopped(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_SECONDS)
        while not self._stop.is_set():
            with self._lock:
                number = next(self._numbers)
            callback = body_of(number, JOBS)
            job_id, callback_id = str(callback["job_id"]), str(callback["callback_id"])
            message = Message(callback_id, "Idempotency-Key", json.dumps(callback).encode())
            headers = headers_of(message)
            receipt = self._ask(connection, "POST", "/api/callbacks", message.body, headers)
            self.receipts[callback_id] = receipt
            reader = {"Authorization": f"Bearer {TOKEN}"}
            job = self._ask(connection, "GET", f"/api/jobs/{job_id}", None, reader)
            assert job["id"] == job_id
        connection.close()

    def _ask(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes | None,
        headers: dict[str, str],
    ) -> Any:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == 200, (method, path, answer.status, text)
        with self._lock:
            self.answered += 1
        return json.loads(text)


def test_no_request_fails_while_servers_behind_haproxy_are_restarted(
    make_server: Make, postgres_dsn: str, balance: Balance
) -> None:
    servers = [make_server(postgres_dsn) for _ in range(2)]
    for server in servers:
        server.env.update(page.settings("# both servers", PROXIES))
        server.start()
    balancer = balance(servers)
    balancer.until_both_are_up()
    clients = Clients(balancer.port, threads=6)
    try:
        for server in servers * ROUNDS:
            clients.until_answered(BETWEEN)
            assert server.process
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(PATIENCE_SECONDS) == 0
            clients.until_answered(BETWEEN)
            server.start()
            balancer.until_both_are_up()
        clients.until_answered(BETWEEN)
    finally:
        clients.finish()
    for server in servers:
        server.kill()
    assert_nothing_lost_nothing_doubled(servers[0], clients)
