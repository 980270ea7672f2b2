"""No process takes more than 256 MB, however long errors and callbacks are.

`python -m bench memory` does the same with 20,000 jobs.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from projections.folding.job_fold import JobFold
from projections.read_model.rows import Changes
from tests.e2e.inspection import database_of
from tests.e2e.kinds import on_each_database
from tests.support.jobs.wide import wide_states
from tests.support.processes import heavy
from tests.support.processes.server import Make


@on_each_database
def test_long_errors_and_large_callbacks_fit_into_memory(
    make_server: Make, database_url: str | None
) -> None:
    server = make_server(database_url).start()

    found = heavy.burden(server, jobs=1_000, large=40)

    assert {name: size for name, size in found.items() if size > heavy.MOST_BYTES} == {}


@on_each_database
def test_lists_of_wide_jobs_that_need_somebody_fit_into_memory(
    make_server: Make, database_url: str | None
) -> None:
    server = make_server(database_url).start()
    server.patience = 120
    with database_of(server) as services:
        fold = JobFold(services.milepost.mapper, services.workflows)
        rows = [fold.rows(wide_states(f"job-{number}"))[0] for number in range(25)]
        services.read_model.apply(Changes(0, 0, rows))

    def reads(_: int) -> int:
        answer = server.get("/api/jobs?attention=true&limit=25")
        assert answer.status == 503 or len(answer.body["jobs"]) > 15
        return answer.status

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(reads, range(12)))

    # A worker makes two lists of one caller at a time, and answers 503 if others wait for too long.
    assert found - {503} == {200}
    assert {
        name: size for name, size in heavy.peaks(server).items() if size > heavy.MOST_BYTES
    } == {}
