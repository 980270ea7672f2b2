"""Running the application in granian's worker processes, and the projector in their parent.

There the projector does not share an interpreter with those who answer; and a worker that dies
takes nothing with it but its own requests.
"""

from __future__ import annotations

import errno
import gc
import logging
import logging.config
import multiprocessing
import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from multiprocessing import util
from pathlib import Path
from secrets import randbelow
from threading import Event, Thread
from typing import Any, Final

from api.serving import cores
from api.settings.settings import DEFAULT_THREADS, Settings
from api.settings.variables import InvalidSetting

LOGGING: Final[dict[str, Any]] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)-7s %(name)s: %(message)s"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "stream": "ext://sys.stderr",
        },
    },
    "loggers": {
        "milepost": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        "_granian": {"handlers": ["stderr"], "level": "ERROR", "propagate": False},
    },
}


def log_to_stderr() -> None:
    """Log in lines with time, level and source."""
    logging.config.dictConfig(LOGGING)


def is_taken(settings: Settings) -> bool:
    """Tell whether somebody listens on the port already; raise `InvalidSetting` for no address.

    Granian would share it silently, and each would get a part of the requests.
    """
    family, kind, protocol, address = resolve(settings)
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
            reason = f"MILEPOST_HOST: cannot listen on {settings.host}: {error.strerror}"
            raise InvalidSetting(reason) from error
    return False


def resolve(settings: Settings) -> tuple[int, int, int, Any]:
    """Return family, type, protocol and address to listen on; raise `InvalidSetting`."""
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise InvalidSetting(f"MILEPOST_HOST: {settings.host!r}: {error}") from error
    return (*found[:3], found[4])


def run(settings: Settings, *, project: bool) -> None:
    """Serve until SIGINT or SIGTERM; replace workers that die."""
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    metrics = settings.home / f"metrics-{settings.port}"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir(parents=True)
    # Prometheus' client reads this when it is imported, so workers start from scratch.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)
    multiprocessing.set_start_method("spawn", force=True)
    address = resolve(settings)[3][0]
    server = Granian(
        "milepost",
        address=str(address),
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=settings.workers,
        blocking_threads=DEFAULT_THREADS,
        respawn_failed_workers=True,
        respawn_interval=0.5,
        workers_kill_timeout=10,
        websockets=False,
        log_level=LogLevels.error,
        log_dictconfig=LOGGING,
    )
    # Not the same one in every container of a host.
    first = randbelow(len(cores.usable()) or 1)
    with _projecting(settings) if project else nullcontext():
        server.serve(
            target_loader=partial(load, settings, os.getpid(), metrics, first), wrap_loader=False
        )


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


def load(settings: Settings, parent: int, folder: Path, first_core: int) -> Callable[..., Any]:
    """Return the application inside a worker; `folder` is that of this server's workers."""
    from api.app import create_app
    from api.http.signatures import key_id
    from api.wiring import open_services

    services = open_services(settings)
    for secret in settings.callback_secrets:
        # Slow by design, so not when the first callbacks come, all at once.
        key_id(secret)
    stop = Event()
    watch = Thread(target=_leave_with, args=(parent, stop), name="parent watch", daemon=True)
    watch.start()

    def leave() -> None:
        stop.set()
        watch.join(timeout=5)
        services.close()

    util.Finalize(None, leave, exitpriority=100)
    application = create_app(services)
    # All this stays; a garbage collector that looks at it again holds up every callback meanwhile.
    gc.freeze()
    core = cores.taken(folder, first_core, cores.usable()) if settings.one_core else None
    return application if core is None else cores.OnOneCore(application, core)


def _leave_with(parent: int, stop: Event) -> None:
    # A worker whose parent was killed would go on answering on the port, unknown to anybody.
    while not stop.wait(0.25):
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)
            return
