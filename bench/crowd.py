"""A crowd: clients that hold connections to a server while something else is measured."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import IO, Final

import msgspec
import psutil

from bench.contenders import Mismatch
from bench.holding import Orders, Report
from bench.stage import ROOT

OTHER_FILES: Final = 512
"""How many files a process may need besides the connections of a crowd."""
END_SECONDS: Final = 10


class TooFewFiles(Exception):
    """The hard limit of open files is too low for the connections of a crowd."""


@contextmanager
def crowd(orders: Orders) -> Iterator[Crowd]:
    """Hold connections in a process of their own; raise `Mismatch` if the server refuses some."""
    with subprocess.Popen(
        [sys.executable, "-m", "bench.holding"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdin
            assert process.stdout
            yield Crowd(process, process.stdin, process.stdout, orders)
        finally:
            process.kill()


class Crowd:
    """Clients whose connections are open."""

    def __init__(
        self, process: subprocess.Popen[bytes], to: IO[bytes], out: IO[bytes], orders: Orders
    ) -> None:
        self._process, self._to, self._out = process, to, out
        to.write(msgspec.json.encode(orders) + b"\n")
        to.flush()
        if not out.readline():
            raise Mismatch(f"{orders.clients:,} connections cannot be held")
        self._began, self._cpu_began = perf_counter(), self._cpu()

    @property
    def share(self) -> float:
        """The share of one core that the clients have used since their connections are open."""
        return (self._cpu() - self._cpu_began) / (perf_counter() - self._began)

    def end(self) -> Report:
        """End the clients, and return what became of their connections."""
        self._to.close()
        report = self._out.read()
        if status := self._process.wait(END_SECONDS):
            raise Mismatch(f"the clients ended with status {status}")
        return msgspec.json.decode(report, type=Report)

    def _cpu(self) -> float:
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)


def allow_open_files(connections: int) -> None:
    """Let this process, and what it starts, have so many connections; else `TooFewFiles`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + OTHER_FILES
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise TooFewFiles(
            f"{connections:,} open connections need {needed:,} open files, and the hard limit is "
            f"{hard:,}; raise it (ulimit -Hn)."
        )
    if soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
