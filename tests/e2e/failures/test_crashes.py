"""kill -9 at random moments under load: what was answered 200 is there, exactly once."""

from __future__ import annotations

import random
import subprocess
import sys

from tests.e2e.inspection import assert_nothing_lost_nothing_doubled
from tests.e2e.killing import is_ready, kill_something, progress
from tests.e2e.kinds import on_each_database
from tests.e2e.load import Load
from tests.support.processes.server import MILEPOST, Make, Server


def test_kills_under_load_lose_nothing_and_double_nothing(server: Server, kills: int) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    sys.stdout.write(f"random seed {seed}\n")  # shown when the test fails
    load = Load(server, jobs=5, threads=6, limit=100_000).start()
    try:
        for _ in range(kills):
            answered = len(load.receipts) + chance.randrange(1, 60)
            server.until(lambda goal=answered: progress(server, load, goal), "takes no callbacks")
            kill_something(server, chance)
    finally:
        load.finish()
    server.until(lambda: progress(server, load, 0) and is_ready(server), "does not come back")
    load.redeliver_unknown()
    server.kill()

    assert_nothing_lost_nothing_doubled(server, load)
    assert len(load.receipts) > kills


@on_each_database
def test_a_projector_that_is_killed_folds_nothing_twice_and_leaves_nothing_out(
    make_server: Make, database_url: str | None
) -> None:
    """`milepost project` as a process of its own, killed three times while callbacks come in."""
    server = make_server(database_url, "--no-projector").start()
    load = Load(server, jobs=5, threads=2, limit=100_000).start()
    try:
        for goal in range(100, 400, 100):
            command = [str(MILEPOST), "project"]
            with subprocess.Popen(command, env=server.env, stderr=subprocess.DEVNULL) as projector:
                folded = server.get("/readyz").body["read_model_position"]
                server.until(lambda past=folded: position(server) > past, "is not projected")
                server.until(lambda goal=goal: len(load.receipts) >= goal, "takes no callbacks")
                projector.kill()
    finally:
        load.finish()
    load.redeliver_unknown()
    server.kill()

    assert_nothing_lost_nothing_doubled(server, load)


def position(server: Server) -> int:
    """Return how far the read model is."""
    return int(server.get("/readyz").body["read_model_position"])
