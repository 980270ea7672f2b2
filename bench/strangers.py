"""Step callbacks of honest senders, while strangers attack in every way at once."""

from __future__ import annotations

import http.client
import subprocess
import sys
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Final

import msgspec

from bench.attacking import Orders
from bench.contenders import Mismatch, recording
from bench.effort import Effort
from bench.figures import Line, alternate
from bench.front import until_alone, worker_of
from bench.history import register
from bench.load import steps
from bench.stage import ROOT, Server, Stage

RATE: Final = 10
"""How many attempts a second there are in each quick way; among them 10 MiB with no signature."""
HEALTH_SECONDS: Final = 1.0
END_SECONDS: Final = 10


def run(stage: Stage, effort: Effort) -> Iterator[Line]:
    """PostgreSQL, one worker: with the strangers in one turn, without them in the next."""
    database = stage.postgres()
    register(database, effort.jobs, stage.folder / "home")
    with stage.milepost(database) as server:
        alone = recording(stage, server, database, steps(effort.jobs), effort.seconds)
        under_attack = UnderAttack(server, alone, Orders(server.port, effort.held // 4, RATE))
        pair = alternate(under_attack, alone, effort.pairs)
        gone = ", ".join(f"{way} {times:,}" for way, times in sorted(under_attack.gone.items()))
        detail = f"{pair.ours:,.0f}/s, {pair.theirs:,.0f}/s; gone in all: {gone}"
        yield Line("step callbacks under attack / in peace", pair.ratio, 0.8, detail=detail)
        slowest = max(under_attack.health)
        yield Line("/livez under attack, the slowest", slowest, HEALTH_SECONDS, "s", at_most=True)
        yield Line(
            "memory of the worker under attack", under_attack.megabytes, 256, "MB", at_most=True
        )


class UnderAttack:
    """Turns beside strangers; every callback that is answered must be stored."""

    def __init__(self, server: Server, turn: Callable[[], float], orders: Orders) -> None:
        self.gone: dict[str, int] = {}
        self.health: list[float] = []
        self.megabytes = 0.0
        self._server, self._turn, self._orders = server, turn, orders

    def __call__(self) -> float:
        """Take one turn; raise `Mismatch` if a callback is lost or health is not answered."""
        with subprocess.Popen(
            [sys.executable, "-m", "bench.attacking"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as attackers:
            try:
                assert attackers.stdin
                assert attackers.stdout
                attackers.stdin.write(msgspec.json.encode(self._orders) + b"\n")
                attackers.stdin.flush()
                attackers.stdout.readline()
                rate = self._turn()
                self._ask_for_health()
                used = worker_of(self._server).memory_info().rss / 1e6
                self.megabytes = max(self.megabytes, used)
                said, _ = attackers.communicate(timeout=END_SECONDS)
            finally:
                attackers.kill()
        for way, times in msgspec.json.decode(said, type=dict[str, int]).items():
            self.gone[way] = self.gone.get(way, 0) + times
        until_alone(self._server)
        return rate

    def _ask_for_health(self) -> None:
        for path in ("/livez", "/readyz"):
            began = perf_counter()
            asking = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=END_SECONDS)
            asking.request("GET", path)
            status = asking.getresponse().status
            asking.close()
            if status != 200:
                raise Mismatch(f"{path} is answered with {status} under attack")
            self.health.append(perf_counter() - began)
