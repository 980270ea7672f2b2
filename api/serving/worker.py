"""A worker: the process that answers requests, started afresh by its server."""

from __future__ import annotations

import gc
import os
import signal
import sys
from multiprocessing import util
from threading import Event, Thread
from typing import Any

import msgspec

from api.serving.draining import Phases
from api.settings.settings import Settings

PARENT_LOOK_SECONDS = 0.25
ENDING = (signal.SIGINT, signal.SIGTERM)
SWITCH_SECONDS = 0.001
"""How long a thread may keep the interpreter while another one waits for it.

With Python's 5 ms, a callback waits behind every thread of Flask's that makes a large page.
"""


def load(settings: Settings, parent: int, phases: Phases, *, wsgi: bool) -> Any:
    """Return the application of this worker: a `Front`, or Flask's `App` for a WSGI server.

    The worker ends with its `parent`. A worker of the front ends only then, or when the server
    says so: a signal to all processes must not end it before the server has drained.
    """
    from api.app import create_app
    from api.http.signatures import key_id
    from api.serving.front import Front
    from api.wiring import open_services

    if not wsgi:  # granian's WSGI workers wait for signals in their main thread
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        sys.setswitchinterval(SWITCH_SECONDS)
    services = msgspec.structs.replace(
        open_services(settings), is_draining=lambda: bool(phases.began.value)
    )
    for secret in settings.callback_secrets:
        # Naming a secret is slow by design, so do it before the first callbacks come.
        key_id(secret)
    stop = Event()
    watch = Thread(
        target=_leave_with, args=(parent, phases, stop), name="parent watch", daemon=True
    )
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


def _leave_with(parent: int, phases: Phases, stop: Event) -> None:
    while not phases.ended.value:
        if stop.wait(PARENT_LOOK_SECONDS):
            return
        if os.getppid() != parent:
            # A worker whose server was killed would go on answering on the port.
            os.kill(os.getpid(), signal.SIGTERM)
            break
    # Every other thread goes on blocking the signals, so this thread receives them for the loop.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    stop.wait()
