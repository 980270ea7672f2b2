"""A worker: the process that answers requests, started afresh by its server."""

from __future__ import annotations

import gc
import os
import signal
from multiprocessing import util
from threading import Event, Thread
from typing import Any

import msgspec

from api.settings.settings import Settings

PARENT_LOOK_SECONDS = 0.25


def load(settings: Settings, parent: int, is_draining: Any, *, wsgi: bool) -> Any:
    """Return the application of this worker: a `Front`, or Flask's `App` for a WSGI server.

    `is_draining` is the server's `multiprocessing.Event`; the worker ends with its `parent`.
    """
    from api.app import create_app
    from api.http.signatures import key_id
    from api.serving.front import Front
    from api.wiring import open_services

    services = msgspec.structs.replace(open_services(settings), is_draining=is_draining.is_set)
    for secret in settings.callback_secrets:
        # Naming a secret is slow by design, so do it before the first callbacks come.
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
    return application if wsgi else Front(application, services)


def _leave_with(parent: int, stop: Event) -> None:
    # A worker whose parent was killed would go on answering on the port, unknown to anybody.
    while not stop.wait(PARENT_LOOK_SECONDS):
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)
            return
