"""A server: worker processes that answer, and the projector in their parent.

The projector runs in the parent, so it does not share an interpreter with the workers. If a worker
dies, only its own requests are lost, and another one takes its place.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import socket
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from multiprocessing.connection import Connection as Line
from multiprocessing.process import BaseProcess
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

from api.http.counting.shared_counts import SharedMemory
from api.serving.http1.bounds.limits import LIMITS, RESERVED
from api.serving.processes.ending import hear_of_children
from api.serving.processes.service_manager import ServiceManager
from api.serving.processes.supervisor import Supervisor
from api.serving.processes.worker import Orders, work
from api.settings.settings import Settings
from api.settings.variables import InvalidSetting

if TYPE_CHECKING:
    from api.serving.http1.connection import Connection

OTHER_FILES: Final = 256
"""How many files a worker may have open besides its connections."""
FEWEST_FILES: Final = 64
"""With fewer files, the server or its worker may fail at its start."""
BACKLOG: Final = 4096
"""How many connections may wait to be accepted; the system may allow fewer."""


def run(
    settings: Settings,
    sockets: Sequence[socket.socket],
    *,
    connections: int,
    project: bool,
    manager: ServiceManager,
    wsgi: bool = False,
    kind: type[Connection] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM, with a worker for each socket; replace workers that die.

    Each worker has at most `connections`, which `connections_of` returns. `manager` hears how the
    server is. With `wsgi`, every request goes through Flask in one of 32 threads; else through the
    front.
    """
    hear_of_children()
    # Workers share their counts in memory. This variable is for other WSGI servers.
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
    # Else glibc learns from large bodies to keep their memory: 500 slow readers left 900 MB behind.
    os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(256 * 1024))
    # Else glibc gives each thread an arena, and each arena keeps what its largest answer took: a
    # worker that listed wide jobs in eight threads kept 319 MB.
    os.environ.setdefault("MALLOC_ARENA_MAX", "1")
    orders = Orders(settings, connections, wsgi, kind)
    counts = SharedMemory(len(sockets))
    for listening in sockets:
        listening.listen(BACKLOG)
        listening.setblocking(False)

    def start(listening: socket.socket, line: Line) -> BaseProcess:
        process = multiprocessing.get_context("spawn").Process(
            target=work, args=(orders, listening, line, counts, sockets.index(listening))
        )
        process.start()
        return process

    with _projecting(settings) if project else nullcontext():
        Supervisor(sockets, start, settings.drain_seconds, manager).run()


def connections_of(settings: Settings) -> int:
    """Return how many connections a worker may have; let it open as many files.

    Raises `InvalidSetting` if the system does not allow as many as the settings ask for.
    """
    # Each connection is a file; most systems let a process have more of them only if it asks.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    others = OTHER_FILES + RESERVED
    wanted = (settings.connections or LIMITS.connections) + others
    if most != resource.RLIM_INFINITY and most < FEWEST_FILES:
        raise InvalidSetting(
            f"the system allows a process {most} open files (ulimit -Hn); Milepost needs "
            f"{FEWEST_FILES} for few connections, and {wanted:,} for {wanted - others:,} of them"
        )
    files = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
    if settings.connections and files < wanted:
        raise InvalidSetting(
            f"MILEPOST_CONNECTIONS: {settings.connections:,} connections need {wanted:,} open "
            f"files, and the system allows {most:,} (ulimit -Hn)"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))
    return max(1, files - others)


@contextmanager
def _projecting(settings: Settings) -> Iterator[None]:
    from api.serving.publishing.publisher import publishing
    from api.wiring import open_services

    services, stop = open_services(settings.of_parent()), Event()
    with closing(services), publishing(services) as publishers:
        projector = services.projector(*publishers)
        thread = Thread(target=projector.run, args=(stop,), name="projector", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            projector.interrupt()
            thread.join(timeout=5)
