"""Killing a server, or a part of it, while callbacks come in."""

from __future__ import annotations

import random

from tests.e2e.load import Load
from tests.support.processes.server import Server, port_is_free


def progress(server: Server, load: Load, goal: int) -> bool:
    """Tell whether that many are answered by a server that lives, whatever was killed of it."""
    assert server.process is not None
    assert server.process.poll() is None, "the server has ended"
    return len(load.receipts) >= goal


def is_ready(server: Server) -> bool:
    """Tell whether the server answers and its database does."""
    return server.get("/readyz").status == 200


def kill_something(server: Server, chance: random.Random) -> None:
    """Kill the parent, a worker, or all of it; see that it serves again."""
    parent, *workers = server.processes()
    match chance.choice(["parent", "worker", "all"]):
        case "worker" if workers:
            # Its parent starts another one.
            chance.choice(workers).kill()
        case "parent":
            parent.kill()
            server.until(lambda: port_is_free(server.port), "leaves orphans on its port")
            server.start()
        case _:
            server.kill()
            server.start()
