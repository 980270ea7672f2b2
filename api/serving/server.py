"""A server: granian's worker processes that answer, and the projector in their parent.

The projector runs in the parent, so it does not share an interpreter with the workers. If a worker
dies, only its own requests are lost, and another one takes its place.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from threading import Event, Thread
from typing import Any, Final

from api.serving import worker
from api.serving.draining import Draining
from api.serving.listening import resolve
from api.serving.logs import LOGGING, log_to_stderr
from api.settings.settings import Settings

MAX_CONNECTIONS: Final = 16_384
"""How many connections a worker has at once; further ones wait to be accepted."""
OTHER_FILES: Final = 256
"""How many files a worker may have open besides its connections."""
IDLE_SECONDS: Final = 60
"""How long a client may take for the head of a request, and be silent between two requests."""
MAX_HEAD_BYTES: Final = 64 * 1024
"""How much of a request's head a connection may hold in memory."""
WSGI_THREADS: Final = 32
"""How many threads of a worker answer without the front; each holds one request."""
KILL_SECONDS: Final = 20
"""How long a worker that is asked to end may finish what is under way."""


def run(
    settings: Settings,
    *,
    project: bool,
    wsgi: bool = False,
    load: Callable[..., Any] = worker.load,
) -> None:
    """Serve until SIGINT or SIGTERM; replace workers that die.

    With `wsgi`, every request goes through Flask in one of 32 threads; else through the front.
    Each worker calls `load` for its application: a function that can be pickled.
    """
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings
    from granian.log import LogLevels

    metrics = settings.home / f"metrics-{settings.port}"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir(parents=True)
    # Prometheus' client reads this when it is imported, so workers start from scratch.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)
    multiprocessing.set_start_method("spawn", force=True)
    connections = _connections()
    server = Granian(
        "milepost",
        address=str(resolve(settings)[3][0]),
        port=settings.port,
        interface=Interfaces.WSGI if wsgi else Interfaces.RSGI,
        workers=settings.workers,
        blocking_threads=WSGI_THREADS if wsgi else 1,
        backpressure=connections,
        backlog=4096,
        # HTTP/2 without TLS has no user here, and a request may outlive its connection there.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(
            header_read_timeout=IDLE_SECONDS * 1000, max_buffer_size=MAX_HEAD_BYTES
        ),
        respawn_failed_workers=True,
        respawn_interval=0.5,
        workers_kill_timeout=KILL_SECONDS,
        websockets=False,
        log_level=LogLevels.error,
        log_dictconfig=LOGGING,
    )
    draining = Draining(server)
    with _projecting(settings) if project else nullcontext():
        server.serve(
            target_loader=partial(load, settings, os.getpid(), draining.phases, wsgi=wsgi),
            wrap_loader=False,
        )


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

    log_to_stderr()
    services, stop = open_services(settings), Event()
    thread = Thread(target=services.projector().run, args=(stop,), name="projector", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=5)
        services.close()
