"""Clients that watch jobs, and callbacks about these jobs: a process of its own.

1. Read `Orders` from the first line of stdin, as JSON.
2. Open the streams, and then print a line.
3. Send callbacks at the ordered rate. Each watcher notes when each event of its job comes.
4. With `again`, let all watchers connect again at the same moment, each after its last event.
5. Wait until every watcher has what is stored of its job, print a `Report` as JSON, and end.

Callbacks and watchers have one clock and one event loop: figures include what the clients take.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from statistics import quantiles
from typing import Final, cast

import msgspec
import uvloop

from bench.load import signed
from bench.stage import ADMIN_TOKEN

AT_ONCE: Final = 50
"""How many streams are opened at the same time."""
SENDERS: Final = 8
OPEN_SECONDS: Final = 120
LATE_SECONDS: Final = 30
"""How long the last events may take."""
BLOCK = re.compile(rb"id: ([0-9]+)\ndata: ")


class Orders(msgspec.Struct, frozen=True):
    """What to watch: `watchers` streams of `jobs` jobs, while `rate` callbacks a second come in."""

    port: int
    watchers: int
    jobs: int
    rate: int
    seconds: float
    again: bool = False


class Report(msgspec.Struct, frozen=True):
    """What the watchers saw.

    `missed` and `repeated` count events, over all watchers. The latencies are in seconds, from the
    receipt of a callback to the socket of a watcher; `again` is how long it took until all watchers
    that had come again were answered.
    """

    callbacks: int
    seen: int
    missed: int
    repeated: int
    p50: float
    p99: float
    again: float = 0


class Refused(Exception):
    """The server answers a watcher or a sender with an error."""


class Run:
    """The watchers and the senders of one run."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self.loop = asyncio.get_running_loop()
        self.receipts: dict[int, float] = {}
        self.of_job: list[list[int]] = [[] for _ in range(orders.jobs)]
        self.watchers = [_Watcher(self, number) for number in range(orders.watchers)]
        self.arrivals: list[tuple[int, float]] = []

    async def open(self, at_once: int) -> None:
        """Open all streams, so many at the same time."""
        for start in range(0, len(self.watchers), at_once):
            some = self.watchers[start : start + at_once]
            await asyncio.gather(*(watcher.connect() for watcher in some))

    async def send(self) -> None:
        """Send callbacks, evenly over time and over the jobs."""
        share = [self._sender(number) for number in range(SENDERS)]
        await asyncio.gather(*share)

    async def come_again(self) -> float:
        """Let all watchers connect again at once; return how long the last one waited."""
        for watcher in self.watchers:
            watcher.hang_up()
        began = self.loop.time()
        await self.open(len(self.watchers))
        return self.loop.time() - began

    async def everything(self) -> None:
        """Wait until each watcher has had the last event of its job."""
        async with asyncio.timeout(LATE_SECONDS):
            while any(
                watcher.last < max(self.of_job[watcher.job], default=0) for watcher in self.watchers
            ):
                await asyncio.sleep(0.05)

    def report(self, again: float) -> Report:
        """Return what was seen."""
        missed = repeated = seen = 0
        for watcher in self.watchers:
            expected, got = set(self.of_job[watcher.job]), watcher.positions
            missed += len(expected.difference(got))
            repeated += len(got) - len(set(got))
            seen += len(got)
        waits = [max(0.0, at - self.receipts[position]) for position, at in self.arrivals]
        cuts = quantiles(waits, n=100)
        return Report(len(self.receipts), seen, missed, repeated, cuts[49], cuts[98], again)

    async def _sender(self, number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.orders.port)
        host, pause = f"127.0.0.1:{self.orders.port}", SENDERS / self.orders.rate
        began = self.loop.time() + number * pause / SENDERS
        for turn in range(round(self.orders.seconds / pause)):
            await asyncio.sleep(max(0.0, began + turn * pause - self.loop.time()))
            job = (turn * SENDERS + number) % self.orders.jobs
            step = {"job_id": f"job-{job}", "status": "provisioning", "step": f"s{turn % 9}"}
            writer.write(signed(cast("dict[str, object]", step)).raw(host).encode())
            head = await reader.readuntil(b"\r\n\r\n")
            [length] = re.findall(rb"content-length: ([0-9]+)", head)
            body = await reader.readexactly(int(length))
            if not head.startswith(b"HTTP/1.1 200"):
                raise Refused(body.decode())
            position = json.loads(body)["position"]
            self.receipts[position] = self.loop.time()
            self.of_job[job].append(position)
        writer.close()


class _Watcher(asyncio.Protocol):
    def __init__(self, run: Run, number: int) -> None:
        self.job = number % run.orders.jobs
        self.positions: list[int] = []
        self.last = 0
        self._run = run
        self._rest = b""
        self._has_begun = self._is_leaving = False

    async def connect(self) -> None:
        """Open the stream, after the last event that came."""
        self.is_open: asyncio.Future[None] = self._run.loop.create_future()
        self._rest = b""
        await self._run.loop.create_connection(lambda: self, "127.0.0.1", self._run.orders.port)
        await self.is_open

    def hang_up(self) -> None:
        """Close the connection."""
        self._is_leaving = True
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not derived from asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        seen = f"Last-Event-ID: {self.last}\r\n" if self._has_begun else ""
        head = f"GET /api/jobs/job-{self.job}/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        self._transport.write(f"{head}Authorization: Bearer {ADMIN_TOKEN}\r\n{seen}\r\n".encode())

    def data_received(self, data: bytes) -> None:
        now = self._run.loop.time()
        data = self._rest + data
        if not self.is_open.done():
            if not data.startswith(b"HTTP/1.1 200"):
                self.is_open.set_exception(Refused(data[:300]))
                return
            self.is_open.set_result(None)
        whole, _, self._rest = data.rpartition(b"\n\n")
        for found in BLOCK.finditer(whole + b"\n\n" if whole else b""):
            self.last = int(found[1])
            if self._has_begun:
                self.positions.append(self.last)
                self._run.arrivals.append((self.last, now))
            self._has_begun = True  # the first event is the state before the run

    def connection_lost(self, error: Exception | None) -> None:
        if self._is_leaving:
            self._is_leaving = False
        elif not self.is_open.done():
            self.is_open.set_exception(error or Refused("no answer"))


async def main() -> None:
    """Watch, and report."""
    orders = msgspec.json.decode(sys.stdin.readline(), type=Orders)
    run = Run(orders)
    async with asyncio.timeout(OPEN_SECONDS):
        await run.open(AT_ONCE)
    sys.stdout.write("open\n")
    sys.stdout.flush()
    async with asyncio.timeout(orders.seconds + OPEN_SECONDS):
        sending = asyncio.create_task(run.send())
        again = 0.0
        if orders.again:
            await asyncio.sleep(orders.seconds / 2)
            again = await run.come_again()
        await sending
    await run.everything()
    # An event may come before the receipt of its callback.
    sys.stdout.write(msgspec.json.encode(run.report(again)).decode() + "\n")


if __name__ == "__main__":
    uvloop.run(main())
