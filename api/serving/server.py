"""A server: worker processes that answer, and the projector in their parent.

The projector runs in the parent, so it does not share an interpreter with the workers. If a worker
dies, only its own requests are lost, and another one takes its place.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from multiprocessing.connection import Connection as Line
from multiprocessing.process import BaseProcess
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

from api.serving.logs import log_to_stderr
from api.serving.supervisor import Supervisor
from api.serving.worker import Orders, work
from api.settings.settings import Settings

if TYPE_CHECKING:
    from api.serving.http1.connection import Connection

MAX_CONNECTIONS: Final = 16_384
"""How many connections a worker has at once; further ones wait to be accepted."""
OTHER_FILES: Final = 256
"""How many files a worker may have open besides its connections."""
BACKLOG: Final = 4096
"""How many connections may wait to be accepted; the system may allow fewer."""


def run(
    settings: Settings,
    sockets: Sequence[socket.socket],
    *,
    project: bool,
    wsgi: bool = False,
    kind: type[Connection] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM, with a worker for each socket; replace workers that die.

    With `wsgi`, every request goes through Flask in one of 32 threads; else through the front.
    """
    metrics = settings.home / f"metrics-{settings.port}"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir(parents=True)
    # Prometheus' client reads this when it is imported, so workers start from scratch.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)
    log_to_stderr()
    orders = Orders(settings, _connections(), wsgi, kind)
    for listening in sockets:
        listening.listen(BACKLOG)
        listening.setblocking(False)

    def start(listening: socket.socket, line: Line) -> BaseProcess:
        process = multiprocessing.get_context("spawn").Process(
            target=work, args=(orders, listening, line)
        )
        process.start()
        return process

    with _projecting(settings) if project else nullcontext():
        Supervisor(sockets, start).run()


def _connections() -> int:
    # Each connection is a file; most systems let a process have more of them only if it asks.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + OTHER_FILES
    files = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))
    return max(1, files - OTHER_FILES)


@contextmanager
def _projecting(settings: Settings) -> Iterator[None]:
    from api.wiring import open_services

    services, stop = open_services(settings), Event()
    thread = Thread(target=services.projector().run, args=(stop,), name="projector", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=5)
        services.close()
