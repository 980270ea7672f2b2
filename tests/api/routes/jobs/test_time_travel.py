"""Time travel over HTTP: a job and an agent's instance as they were, and what differs."""

from __future__ import annotations

from typing import Any

import pytest

from api.representations.changes import changes
from projections.reading.reader import PAGE_JOBS
from projections.views.ui_steps import ShownStep
from tests.support.web.site import MACHINE, Site, problem_of

JOB, INSTANCE = "/api/jobs/job-1", "/api/agents/agent-1/instance"
LASTING, FRESH = "private, max-age=300, immutable", "private, no-cache"


def lived(site: Site) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Let a job live, a minute between any two things; return what was shown at each moment."""
    shown = []

    def show() -> None:
        # Only a present job has a health: the answer about the past may be cached.
        job = {**site.job(), "health": None}
        shown.append((site.clock().isoformat(), job, site.instance()))
        site.clock.advance(60)

    site.register()
    show()
    for callback in (
        {"status": "provisioning"},
        {"status": "provisioning", "step": "vm_created"},
        {"type": "heartbeat"},
        {"status": "failed", "error": "exit 1"},
        {"status": "provisioning", "step": "ansible_started"},
    ):
        site.report(**callback)
        show()
    return shown


def at(text: str) -> str:
    return f"at={text.replace('+00:00', 'Z')}"


def test_every_version_and_time_is_shown_as_it_was_then(site: Site) -> None:
    moments = lived(site)
    for projected in (False, True):
        if projected:
            site.project()
        for time, job, instance in moments:
            for query in (f"version={job['version']}", at(time)):
                assert site.read(f"{JOB}?{query}") == job
                assert site.read(f"{INSTANCE}?{query}") == instance


def test_between_two_events_it_is_as_after_the_first(site: Site) -> None:
    moments = lived(site)

    for query in ("at=2026-03-02T12:01:59.999999Z", "at=2026-03-02T13:01:30+01:00"):
        assert site.read(f"{JOB}?{query}") == moments[1][1]


def test_how_long_it_had_been_running_is_as_of_then(site: Site) -> None:
    site.register()
    site.report(status="running", **MACHINE)
    site.clock.advance(90)

    assert site.read(f"{INSTANCE}?at=2026-03-02T12:01:00Z")["uptime"] == 60
    assert site.read(f"{INSTANCE}?at=2026-03-02T23:00:00Z")["uptime"] == 90
    assert site.read(f"{INSTANCE}?version=3")["uptime"] == 0
    assert site.instance()["uptime"] == 90


def test_an_agent_is_shown_with_the_job_that_was_its_newest_then(site: Site) -> None:
    """That is what a page showed."""
    site.register()
    site.report(status="failed")
    first = site.instance()
    site.clock.advance(60)
    site.register("job-2")
    site.report("job-1", type="heartbeat")
    site.clock.advance(60)
    site.register("job-3", "agent-2", "user-2")
    site.project()

    assert site.read(f"{INSTANCE}?at=2026-03-02T12:00:59Z") == first
    assert site.read(f"{INSTANCE}?at=2026-03-02T12:01:00Z")["instance"]["id"] == "job-2"
    assert site.read(f"{INSTANCE}?version=1")["instance"]["id"] == "job-2"
    found = site.read(f"{INSTANCE}?from=2026-03-02T12:00:00Z&to=2026-03-02T12:01:00Z")
    assert {"field": "id", "before": "job-1", "after": "job-2"} in found["changed"]
    assert (found["from"]["job_id"], found["to"]["job_id"]) == ("job-1", "job-2")


def test_each_of_an_agents_many_jobs_was_its_newest_once(
    memory_site: Site,
) -> None:
    """More jobs than two pages of the list have; some of them on the pages' edges."""
    jobs = 2 * PAGE_JOBS + 2
    for number in range(jobs):
        memory_site.register(f"job-{number}")
        memory_site.report(f"job-{number}", status="failed")
        memory_site.clock.advance(1)
    memory_site.project()

    edges = [0, 1, 2, PAGE_JOBS, PAGE_JOBS + 1, PAGE_JOBS + 2, jobs - 2, jobs - 1]
    found = [
        memory_site.read(f"{INSTANCE}?at=2026-03-02T12:{at // 60:02}:{at % 60:02}Z")["instance"][
            "id"
        ]
        for at in edges
    ]

    assert found == [f"job-{at}" for at in edges]


def test_an_earlier_job_of_the_agent_is_as_new_as_its_events(site: Site) -> None:
    """Although the list that it was found in is older."""
    site.register()
    site.project()
    site.report(status="failed", error="exit 1")
    site.clock.advance(60)
    site.register("job-2")

    found = site.read(f"{INSTANCE}?at=2026-03-02T12:00:30Z")["instance"]

    assert (found["id"], found["status"]) == ("job-1", "failed")


def test_somebody_does_not_see_what_was_the_agents_before_it_was_theirs(site: Site) -> None:
    site.post_job({"job_id": "job-1", "agent_id": "agent-1"})
    site.report(status="failed")
    site.clock.advance(60)
    site.register("job-2")
    site.project()
    ada = site.token("read", user_id="user-1")

    assert site.read(f"{INSTANCE}?at=2026-03-02T12:00:30Z")["instance"]["id"] == "job-1"
    found = problem_of(site.get(f"{INSTANCE}?at=2026-03-02T12:00:30Z", ada), 404, "no-such-moment")
    assert found["detail"] == "The agent's first job was registered at 2026-03-02T12:01:00+00:00."


def test_the_past_is_for_those_who_may_see_the_present(site: Site) -> None:
    lived(site)
    eve = site.token("read", user_id="user-2")

    problem_of(site.get(f"{JOB}?version=1", eve), 404, "job-not-found")
    problem_of(site.get(f"{INSTANCE}?version=1", eve), 404, "agent-not-found")
    problem_of(site.get(f"{INSTANCE}?version=1", site.token("write")), 403)
    problem_of(site.client.get(f"{INSTANCE}?version=1"), 401)
    problem_of(site.get("/api/jobs/nobody?version=1"), 404, "job-not-found")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("version=0", "The job began with version 1, at 2026-03-02T12:00:00+00:00."),
        ("version=7", "The job's newest version is 6."),
        (f"version={2**62}", "The job's newest version is 6."),
        ("from=0&to=2", "The job began with version 1, at 2026-03-02T12:00:00+00:00."),
        ("from=2&to=9", "The job's newest version is 6."),
    ],
)
def test_a_version_that_is_not_there_is_explained(memory_site: Site, query: str, said: str) -> None:
    lived(memory_site)

    for path in (JOB, INSTANCE):
        found = problem_of(memory_site.get(f"{path}?{query}"), 404, "no-such-moment")
        assert found["detail"] == said


def test_before_it_began_there_was_nothing(memory_site: Site) -> None:
    lived(memory_site)

    for path, word in ((JOB, "began at"), (INSTANCE, "first job was registered at")):
        for query in ("at=2026-03-02T11:59:59Z", "at=0001-01-01T00:00:00Z"):
            found = problem_of(memory_site.get(f"{path}?{query}"), 404, "no-such-moment")
            assert f"{word} 2026-03-02T12:00:00+00:00." in found["detail"]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("version=-1", "version"),
        ("version=one", "version"),
        (f"version={10**40}", "version"),
        ("at=noon", "at"),
        ("at=2026-03-02T12:00:00", "at"),
        ("at=2026-03-02T24:00:01Z", "at"),
        ("from=x", "from"),
        ("from=1&to=-2", "to"),
        ("to=2", "to"),
        ("version=1&at=2026-03-02T12:00:00Z", "_schema"),
        ("version=1&from=1", "_schema"),
    ],
)
def test_a_moment_that_cannot_be_used_is_named(memory_site: Site, query: str, name: str) -> None:
    lived(memory_site)

    for path in (JOB, INSTANCE):
        found = problem_of(memory_site.get(f"{path}?{query}"), 400, "invalid-fields")
        assert name in found["errors"]


def test_a_misspelt_moment_does_not_show_the_present(memory_site: Site) -> None:
    """But the seed's pages may add to their path what they like."""
    lived(memory_site)

    problem_of(memory_site.get(f"{JOB}?verson=2"), 400, "invalid-fields")
    assert memory_site.read(f"{INSTANCE}?_=1234") == memory_site.instance()


# Differences


def test_what_differs_between_two_moments_is_told(site: Site) -> None:
    (_, before, _), *_, (time, after, _) = lived(site)
    expected = {
        "from": {name: before[name] for name in ("version", "position")}
        | {"job_id": "job-1", "recorded_at": before["updated_at"]},
        "to": {name: after[name] for name in ("version", "position")}
        | {"job_id": "job-1", "recorded_at": after["updated_at"]},
    }

    for query in ("from=1&to=6", f"from=1&to={time[:-6]}Z", "from=1"):
        found = site.read(f"{JOB}/changes?{query}")
        assert found == site.read(f"{JOB}?{query}")  # as older clients ask
        assert found["from"] == expected["from"]
        assert found["to"] == expected["to"]
        told = {each["field"]: (each["before"], each["after"]) for each in found["changed"]}
        assert told["status"] == ("pending", "failed")
        assert told["steps.installing"] == ("pending", "error")
        assert told["error"] == (None, "exit 1")
        assert "version" not in told
    assert site.read(f"{JOB}/changes?from=3&to=3")["changed"] == []
    problem_of(site.get(f"{JOB}/changes?to=3"), 400, "invalid-fields")
    told = site.read(f"{INSTANCE}/changes?from=1&to=2")["changed"]
    assert told == site.read(f"{INSTANCE}?from=1&to=2")["changed"]
    assert {"field": "status", "before": "pending", "after": "provisioning"} in told


def test_a_difference_is_of_fields_and_of_ui_steps() -> None:
    before = {"version": 1, "error": None, "steps": [ShownStep("a", "A", "active")]}
    after = {"version": 2, "error": "?", "steps": [ShownStep("b", "B", "active")]}

    assert changes(before, after) == [
        {"field": "error", "before": None, "after": "?"},
        {"field": "steps.b", "before": None, "after": "active"},
        {"field": "steps.a", "before": "active", "after": None},
    ]


# Caching


def test_what_cannot_change_any_more_may_be_kept_for_a_while(site: Site) -> None:
    lived(site)

    for query, kept in (
        ("version=2", LASTING),
        ("version=6", LASTING),
        ("at=2026-03-02T12:01:30Z", LASTING),
        ("from=1&to=2", LASTING),
        ("from=1&to=2026-03-02T12:01:30Z", LASTING),
        ("at=2026-03-02T12:30:00Z", FRESH),
        ("from=1&to=2026-03-02T12:30:00Z", FRESH),
        ("from=1", FRESH),
        ("", FRESH),
    ):
        answer = site.get(f"{JOB}?{query}")
        assert answer.headers["Cache-Control"] == kept, query
        # A cache that serves several callers must not give one's answer to another.
        assert ("Vary" in answer.headers) == (kept == LASTING)
    # Another job of the agent would change the answer.
    assert site.get(f"{INSTANCE}?version=2").headers["Cache-Control"] == FRESH


def test_a_past_that_is_known_is_not_sent_again(site: Site) -> None:
    lived(site)

    for path in (JOB, INSTANCE):
        for query in ("version=2", "at=2026-03-02T12:01:30Z", "from=1&to=2"):
            known = site.get(f"{path}?{query}")
            site.report(type="heartbeat")

            again = site.get(f"{path}?{query}", headers={"If-None-Match": known.headers["ETag"]})

            assert (again.status_code, again.data) == (304, b"")
            assert again.headers["ETag"] == known.headers["ETag"]
            assert again.headers["Cache-Control"] == known.headers["Cache-Control"]
            tag = site.get(f"{path}?from=2&to=3").headers["ETag"]
            assert site.get(f"{path}?{query}", headers={"If-None-Match": tag}).status_code == 200


def test_an_event_is_found_by_its_own_time_through_a_coarser_clock(site: Site) -> None:
    site.register()
    site.clock.advance(7.123456)
    site.report(status="provisioning")
    site.clock.advance(1)
    site.report(status="failed")

    for at in (
        "2026-03-02T12:00:07.123456Z",
        "2026-03-02T12:00:07.123Z",
        "2026-03-02T12:00:07Z",
        "1772452807123456",
        "1772452807123",
        "1772452807",
        "20260302T120007,123Z",
    ):
        assert site.read(f"{JOB}?at={at}")["version"] == 2, at
        [event] = site.read(f"{JOB}/events?since={at}&until={at}")["events"]
        assert event["version"] == 2, at
    assert site.read(f"{JOB}?at=2026-03-02T12:00:07.122Z")["version"] == 1
    assert site.read(f"{JOB}?from=1&to=2026-03-02T12:00:07.123Z")["to"]["version"] == 2
