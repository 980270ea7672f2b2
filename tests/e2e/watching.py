"""Readers of streams that come again whenever their stream ends."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from threading import Event, Thread
from typing import Final, Protocol

from domain.job.events import JobEvent
from tests.support.processes.server import TOKEN, Server

SILENT_SECONDS: Final = 20
"""Longer than the longest silence of a stream."""


class Listens(Protocol):
    """Something that answers HTTP at a port of this machine."""

    port: int


class Watcher:
    """Reads a stream, and connects again whenever it ends, to each server in turn."""

    def __init__(self, servers: Sequence[Listens], path: str) -> None:
        self.path = path
        self.positions: list[int] = []
        self.versions: list[int] = []
        self.ends = 0
        self.connections = 0
        self._servers = servers
        self._stop = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def last(self) -> int:
        """The last position that was read."""
        return self.positions[-1] if self.positions else 0

    def stop(self) -> None:
        """Stop at the next block."""
        self._stop.set()

    def _run(self) -> None:
        for number in count():
            if self._stop.is_set():
                return
            server = self._servers[number % len(self._servers)]
            with suppress(OSError, http.client.HTTPException):
                self._read(server)
            self._stop.wait(0.02)  # an EventSource waits for a second or more

    def _read(self, server: Listens) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=SILENT_SECONDS)
        headers = {"Authorization": f"Bearer {TOKEN}", "Last-Event-ID": str(self.last)}
        try:
            connection.request("GET", self.path, headers=headers)
            response = connection.getresponse()
            if response.status == 200:
                self.connections += 1
                for fields in self._blocks(response):
                    self._take(fields)
            else:
                # 404: the job is not there yet. 204: it has ended, until its next callback.
                # Another status is a proxy's, which writes no problem: its server is away.
                is_ours = response.getheader("Content-Type") == "application/problem+json"
                assert response.status in (204, 404, 503) or not is_ours, response.status
                response.read()
        finally:
            connection.close()

    def _blocks(self, response: http.client.HTTPResponse) -> Iterator[dict[str, str]]:
        fields: dict[str, str] = {}
        while not self._stop.is_set() and (line := response.readline()):
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if line == b"\n":
                yield fields
                fields = {}
            else:
                fields[name] = value

    def _take(self, fields: dict[str, str]) -> None:
        if fields.get("event") == "end":
            self.ends += 1
        elif "data" in fields:
            document = json.loads(fields["data"])
            self.positions.append(int(fields["id"]))
            self.versions.append(document.get("version", 0))


@contextmanager
def watching(servers: Sequence[Listens], paths: Sequence[str]) -> Iterator[list[Watcher]]:
    """Let a watcher read each path until the context is left."""
    watchers = [Watcher(servers, path) for path in paths]
    try:
        yield watchers
    finally:
        for watcher in watchers:
            watcher.stop()


def read_whole(server: Server, watcher: Watcher, expected: Sequence[JobEvent]) -> None:
    """See that a watcher has read these events in the end, each once and in order."""
    server.until(lambda: watcher.last >= expected[-1].position, f"tells {watcher.path} no more")
    positions = [event.position for event in expected]
    pairs = zip(watcher.positions, positions, strict=False)
    wrong = next((number for number, (read, due) in enumerate(pairs) if read != due), None)
    lengths = len(watcher.positions), len(positions)
    around = slice(max(0, (wrong or 0) - 3), (wrong or 0) + 12)
    seen = watcher.positions[around], positions[around]
    assert wrong is None, (watcher.path, wrong, lengths, seen)
    assert lengths[0] == lengths[1], (watcher.path, lengths)
