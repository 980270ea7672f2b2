"""No process takes more than 256 MB, however long errors and callbacks are.

`python -m bench memory` does the same with 20,000 jobs.
"""

from __future__ import annotations

from tests.support.processes import heavy
from tests.support.processes.server import Make


def test_long_errors_and_large_callbacks_fit_into_memory(
    make_server: Make, database_url: str | None
) -> None:
    server = make_server(database_url).start()

    found = heavy.burden(server, jobs=1_000, large=40)

    assert {name: size for name, size in found.items() if size > heavy.MOST_BYTES} == {}
