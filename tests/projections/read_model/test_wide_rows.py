"""A read of a list ends at a number of bytes, and the next read goes on after it."""

from __future__ import annotations

import msgspec

from projections.read_model.bounded import is_full, read_of
from projections.read_model.filters import AttentionFilter, JobFilter
from projections.read_model.rows import DueRow
from tests.support.jobs.strategies import minute
from tests.support.jobs.wide import widen
from tests.support.stores.deployment import Deployment

JOBS = 10


def test_a_list_of_wide_rows_ends_early_and_loses_none(stores: Deployment) -> None:
    widen(stores.read_model, JOBS)
    wanted = JobFilter(limit=JOBS)

    sizes, seen = list[int](), list[str]()
    while page := stores.read_model.instances(wanted):
        sizes.append(len(page))
        seen += [row.job_id for row in page]
        wanted = msgspec.structs.replace(wanted, before=JOBS + 1 - len(seen))

    assert sizes == [4, 4, 2]
    assert seen == [f"job-{number}" for number in reversed(range(JOBS))]


def test_a_list_of_what_needs_somebody_ends_early_and_loses_none(stores: Deployment) -> None:
    widen(stores.read_model, JOBS)
    wanted = AttentionFilter(now=minute(5), limit=JOBS)

    sizes, seen = list[int](), list[str]()
    while page := stores.read_model.attention(wanted):
        sizes.append(len(page))
        seen += [row.job_id for row in page]
        wanted = msgspec.structs.replace(wanted, after=((len(seen) - 1) // 4, len(seen)))

    assert sizes == [4, 4, 2]
    assert seen == [f"job-{number}" for number in range(JOBS)]


def test_due_rows_that_are_wide_come_in_more_reads(stores: Deployment) -> None:
    widen(stores.read_model, JOBS)

    last: DueRow | None = None
    seen, full = list[str](), list[bool]()
    while page := stores.read_model.due(minute(4), last, JOBS):
        seen += [row.job_id for row in page]
        full.append(is_full(page, JOBS))
        last = page[-1]

    assert full == [True, True, False]
    assert seen == [f"job-{number}" for number in range(JOBS)]


def test_wide_rows_are_counted_without_being_read(stores: Deployment) -> None:
    widen(stores.read_model, JOBS)

    assert stores.read_model.count(JobFilter(limit=JOBS)) == JOBS
    assert stores.read_model.count(JobFilter(limit=4)) == 4


def test_documents_of_wide_rows_are_those_of_the_first_jobs_that_were_asked_for(
    stores: Deployment,
) -> None:
    widen(stores.read_model, JOBS)
    asked = [f"job-{number}" for number in (7, 3, 99, 9, 0, 5, 1)]

    found = stores.read_model.documents("instances", asked)

    assert list(found) == ["job-7", "job-3", "job-9", "job-0"]
    assert list(read_of(asked, found)) == asked[:5]
    assert (
        list(read_of(asked[:3], stores.read_model.documents("instances", asked[:3]))) == asked[:3]
    )
