"""No process takes more than 256 MB, however long errors and callbacks are.

`python -m bench memory` does the same with 20,000 jobs.
"""

from __future__ import annotations

from tests.e2e.inspection import database_of
from tests.support import heavy
from tests.support.server import Make

JOBS, LARGE = 1_000, 40


def test_long_errors_and_large_callbacks_fit_into_memory(
    make_server: Make, database_url: str | None
) -> None:
    server = make_server(database_url).start()
    with database_of(server) as services:
        heavy.fail_jobs(services.milepost, JOBS)
        heavy.send_large(server, LARGE)
        heavy.send_heartbeats(server, JOBS)
        position = services.milepost.store.newest_position()
        server.until(lambda: services.read_model.position() >= position, "does not project")

    found = heavy.peaks(server)
    for command in (["rebuild"], ["export", "log.jsonl"], ["verify"]):
        found[command[0]] = heavy.peak_of_command(server.env, server.home, *command)

    assert {name: size for name, size in found.items() if size > heavy.MOST_BYTES} == {}
