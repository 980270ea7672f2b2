"""The cache of jobs' states is bounded in bytes, and evicts the least recently used jobs."""

from __future__ import annotations

from sys import getsizeof

import msgspec

from domain.log.recalling.recent_jobs import RecentJobs


def filled(*job_ids: str, most: int) -> RecentJobs[str]:
    """Remember these jobs; a state weighs as many bytes as it has characters, which are 10."""
    jobs = RecentJobs[str](most, len)
    for job_id in job_ids:
        jobs.remember(job_id, f"state of {job_id}")
    return jobs


def test_the_least_recently_used_jobs_are_evicted_and_returned() -> None:
    jobs = filled("a", "b", "c", "a", most=10)

    assert jobs.evict() == ["state of b", "state of c"]
    assert dict(jobs) == {"a": "state of a"}


def test_a_job_has_its_last_state() -> None:
    jobs = filled("a", "b", most=30)

    jobs.remember("a", "a later state")

    assert jobs.evict() == []
    assert dict(jobs) == {"a": "a later state", "b": "state of b"}


def test_one_large_state_takes_the_place_of_many() -> None:
    jobs = filled("a", "b", "c", most=30)

    jobs.remember("d", "x" * 25)

    assert jobs.evict() == ["state of a", "state of b", "state of c"]
    assert jobs.bytes == 25


def test_all_jobs_of_a_batch_stay_until_the_eviction() -> None:
    jobs = filled("a", "b", "c", most=20)

    assert len(jobs) == 3
    assert jobs.evict() == ["state of a"]
    assert jobs.evict() == []


def test_what_leaves_the_cache_counts_no_more() -> None:
    jobs = filled("a", "b", "c", most=30)

    jobs.forget("a")
    jobs.forget("unknown")
    assert jobs.bytes == 20

    jobs.clear()
    assert (jobs.bytes, len(jobs)) == (0, 0)


def test_a_state_that_was_encoded_meanwhile_leaves_no_debt() -> None:
    """Python keeps the bytes of a text that was encoded, so the text takes more memory then."""
    error = "".join(["Schlüssel fehlt"] * 10)
    jobs = RecentJobs[str](1_000, getsizeof)

    for leave in (lambda: jobs.forget("a"), lambda: jobs.remember("a", ""), jobs.evict):
        text = error + leave.__qualname__
        jobs.remember("a", text)
        msgspec.json.encode(text)
        leave()

    jobs.forget("a")
    assert jobs.bytes == 0
