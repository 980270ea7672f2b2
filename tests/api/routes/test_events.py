"""The history over HTTP: a job's events, everybody's, in pages, for those who may see them."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from eventsourcing.persistence import StoredEvent

from api.http.making import AT_ONCE
from domain.log.store import Append
from projections.reading.history import History, Page
from tests.support.stores.deployment import Deployment
from tests.support.web.site import (
    ADMIN,
    MACHINE,
    Site,
    app_over,
    bearer,
    body_of,
    problem_of,
)

MEBIBYTE = 1024 * 1024

NEXT = re.compile(r'^<([^>]+)>; rel="next"$')
EVENT = {
    "job_id",
    "version",
    "position",
    "recorded_at",
    "occurred_at",
    "kind",
    "attempt",
    "payload",
    "callback_id",
    "id_signed",
    "signed_by",
    "actor",
    "digest",
    "error",
    "state",
    "changed",
}


def lived(site: Site) -> None:
    """Two attempts of one job."""
    site.register()
    site.clock.advance(10)
    site.report(status="provisioning", step="vm_created", workflow_run_id=1)
    site.clock.advance(50)
    site.report(status="failed", error="exit 1")
    site.report(status="provisioning", workflow_run_id=2)
    site.report(status="running", **MACHINE)


def paged(site: Site, path: str, token: str) -> list[dict[str, Any]]:
    """Follow the Link headers to the end."""
    events = []
    while path:
        answer = site.get(path, token)
        assert answer.status_code == 200, answer.text
        events += body_of(answer)["events"]
        following = NEXT.match(answer.headers.get("Link", ""))
        path = following[1] if following else ""
    return events


def changed(event: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {each["field"]: (each["before"], each["after"]) for each in event["changed"]}


def versions(answer: dict[str, Any]) -> list[int]:
    return [event["version"] for event in answer["events"]]


def test_an_event_says_what_happened_who_said_so_and_what_it_changed(site: Site) -> None:
    site.register()
    body = {
        "job_id": "job-1",
        "status": "provisioning",
        "step": "vm_created",
        "callback_id": "delivery-1",
        "occurred_at": "2026-03-02T11:59:58+00:00",
        "used_snapshot": True,
        "metadata": {"mode": ["full"]},
    }
    site.callback(body)

    registered, event = site.read("/api/jobs/job-1/events")["events"]

    assert event.keys() == EVENT
    assert (event["job_id"], event["version"], event["position"]) == ("job-1", 2, 2)
    assert event["recorded_at"] == "2026-03-02T12:00:00+00:00"
    assert event["occurred_at"] == "2026-03-02T11:59:58+00:00"
    assert (event["kind"], event["attempt"], event["error"]) == ("StepReported", 1, None)
    assert event["payload"] == {
        "step": "vm_created",
        "used_snapshot": True,
        "metadata": {"mode": ["full"]},
    }
    assert event["callback_id"] == "delivery-1"
    assert event["signed_by"]["scheme"] == "x-signature"
    assert re.fullmatch("[0-9a-f]{8}", event["signed_by"]["key_id"])
    assert re.fullmatch("[0-9a-f]{64}", event["digest"])
    job = site.job()
    assert event["state"] == {name: job[name] for name in event["state"]}
    assert changed(event) == {
        "status": ("pending", "provisioning"),
        "current_step": (None, "vm_created"),
        "steps.queued": ("active", "completed"),
        "steps.creating": ("pending", "completed"),
        "steps.installing": ("pending", "active"),
        "claimed_at": (None, job["claimed_at"]),
        "silent_since": (None, job["silent_since"]),
    }
    assert registered["signed_by"] is None
    assert registered["payload"]["requested_by"] == "admin"
    assert changed(registered)["status"] == (None, "pending")


def test_the_state_an_event_left_is_the_job_as_it_was(site: Site) -> None:
    lived(site)
    site.project()

    for event in site.read("/api/jobs/job-1/events")["events"]:
        then = site.read(f"/api/jobs/job-1?version={event['version']}")
        assert event["state"] == {name: then[name] for name in event["state"]}
        assert event["position"] == then["position"]


def test_pages_follow_each_other(site: Site) -> None:
    lived(site)
    whole = site.read("/api/jobs/job-1/events")
    assert versions(whole) == [1, 2, 3, 4, 5, 6, 7]
    assert whole["next_after"] == 7
    token = site.token("read")

    assert paged(site, "/api/jobs/job-1/events?limit=2", token) == whole["events"]
    assert paged(site, "/api/events?limit=2", token) == whole["events"]
    some = paged(site, "/api/jobs/job-1/events?limit=1&kind=StatusReported&kind=JobQueued", token)
    assert [event["version"] for event in some] == [1, 3, 5, 7]


def test_an_answer_with_events_has_little_more_than_a_mebibyte(site: Site) -> None:
    """It waits in memory for as long as its client is slow."""
    for _ in range(30):
        site.report(status="provisioning", log="x" * 60_000)

    answer = site.get("/api/events?limit=500")

    assert MEBIBYTE < len(answer.data) < 1.2 * MEBIBYTE
    assert body_of(answer)["next_after"] < site.position
    assert "next" in answer.headers["Link"]


class Watched(History):
    """A history that counts how many of its pages are made at the same time."""

    under_way = most = 0

    def of_all(self, *arguments: Any) -> Page:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        Event().wait(0.02)  # long enough for others to begin
        page = super().of_all(*arguments)
        self.under_way -= 1
        return page


def test_two_pages_of_events_are_made_at_a_time(memory: Deployment) -> None:
    history = Watched(memory.read_model, memory.milepost.mapper)
    site = Site(memory)
    site.app = app_over(msgspec.structs.replace(site.services, history=history))

    def ask(_: int) -> int:
        return site.app.test_client().get("/api/events", headers=bearer(ADMIN)).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {200}
    assert history.most == AT_ONCE


def test_a_page_of_large_events_ends_before_its_limit(site: Site) -> None:
    large = "x" * 1_000_000
    for _ in range(6):
        assert site.callback({"job_id": "job-1", "status": "odd", "log": large}).status_code == 400
    site.project()
    token = site.token("read")

    for path in ("/api/jobs/job-1/events", "/api/events"):
        first = body_of(site.get(f"{path}?limit=500", token))
        assert len(first["events"]) < 6
        assert first["next_after"] == first["events"][-1]["version"]
        events = paged(site, f"{path}?limit=500", token)
        assert [event["version"] for event in events] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("kind=StepReported,JobQueued", [1, 2]),
        ("kind=StepReported&kind=JobQueued", [1, 2]),
        ("kind=StepReported,%20JobQueued&kind=AttemptStarted", [1, 2, 4]),
        ("since=2026-03-02T12:00:10Z", [2, 3, 4, 5, 6, 7]),
        ("since=2026-03-02T13:00:11%2B01:00", [3, 4, 5, 6, 7]),
        ("since=2026-03-02T13:00:11+01:00", [3, 4, 5, 6, 7]),
        ("since=2026-03-02T08:00:11-04:00", [3, 4, 5, 6, 7]),
        ("until=2026-03-02t12:00:10.000000000z", [1, 2]),
        ("attempt=2", [4, 5, 6, 7]),
        ("attempt=3", []),
        ("after=6", [7]),
        ("since=0001-01-01T00:00:00Z&until=9999-12-31T23:59:59Z&after=6", [7]),
    ],
)
def test_filters_choose(memory_site: Site, query: str, found: list[int]) -> None:
    lived(memory_site)

    for path in ("/api/jobs/job-1/events", "/api/events"):
        assert versions(memory_site.read(f"{path}?{query}")) == found


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("kind=StepRecorded", "kind"),
        ("kind=", "kind"),
        ("since=yesterday", "since"),
        ("since=2026-03-02T12:00:00", "since"),
        ("since=2026-03-02", "since"),
        ("until=2026-02-30T12:00:00Z", "until"),
        ("until=0001-01-01T00:00:00%2B01:00", "until"),
        ("attempt=0", "attempt"),
        ("after=-1", "after"),
        (f"after={10**30}", "after"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("vresion=3", "vresion"),
    ],
)
def test_a_query_that_cannot_be_used_is_named(memory_site: Site, query: str, name: str) -> None:
    memory_site.register()

    for path in ("/api/jobs/job-1/events", "/api/events"):
        found = problem_of(memory_site.get(f"{path}?{query}"), 400, "invalid-fields")
        assert name in found["errors"]


def test_a_list_of_more_words_than_can_be_meant_is_refused_in_a_sentence(
    memory_site: Site,
) -> None:
    """Each wrong word would be named in the answer, and costs the time to name it."""
    memory_site.register()

    answer = memory_site.get("/api/jobs/job-1/events?kind=a&kind=" + "," * 99)

    assert problem_of(answer, 400, "invalid-fields")["errors"] == {"kind": ["More than 100 words."]}


def test_a_history_is_for_those_who_may_see_the_job(site: Site) -> None:
    lived(site)
    path = "/api/jobs/job-1/events"

    assert len(site.read(path, site.token("read", user_id="user-1"))["events"]) == 7
    problem_of(site.get(path, site.token("read", user_id="user-2")), 404, "job-not-found")
    problem_of(site.get("/api/jobs/nobody/events"), 404, "job-not-found")
    problem_of(site.get(path, site.token("write")), 403)
    problem_of(site.client.get(path), 401)
    problem_of(site.client.get("/api/events"), 401)


def test_the_log_shows_somebody_the_events_of_their_jobs_alone(site: Site) -> None:
    """As far as the read model knows whose they are."""
    lived(site)
    site.register("job-2", "agent-2", "user-2")
    site.report("job-2", type="heartbeat")
    site.report("nobody's", type="heartbeat")
    ada = site.token("read", user_id="user-2")
    assert site.read("/api/events", ada) == {"events": [], "next_after": 0}

    site.project()

    seen = site.read("/api/events", ada)
    assert [event["job_id"] for event in seen["events"]] == ["job-2", "job-2"]
    assert seen["next_after"] == 9
    assert len(site.read("/api/events")["events"]) == 10


def test_an_event_that_cannot_be_read_does_not_hide_the_others(site: Site) -> None:
    site.register()
    row = StoredEvent("job-1", 2, "JobPainted", b'{"colour":"red"}')
    site.deployment.milepost.store.transact({}, [], lambda _: Append([row]))
    site.report(status="provisioning")

    for path in ("/api/jobs/job-1/events", "/api/events"):
        first, painted, last = site.read(path)["events"]
        assert (first["error"], last["error"]) == (None, None)
        assert "JobPainted" in painted["error"]
        assert (painted["kind"], painted["payload"]) == ("JobPainted", {"colour": "red"})
        assert (painted["recorded_at"], painted["signed_by"], painted["changed"]) == (
            None,
            None,
            [],
        )
        assert painted["state"]["status"] == "pending"


def test_a_history_that_is_known_is_not_sent_again(site: Site) -> None:
    lived(site)
    path = "/api/jobs/job-1/events?limit=2"
    tag = site.get(path).headers["ETag"]

    assert site.get(path, headers={"If-None-Match": tag}).status_code == 304
    site.report(type="heartbeat")
    assert site.get(path, headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize("job_id", ["a/b", "ä ö?&#%", "events", "a/events/b"])
def test_pages_of_jobs_with_any_name(memory_site: Site, job_id: str) -> None:
    for _ in range(3):
        memory_site.report(job_id, type="heartbeat")

    events = paged(
        memory_site, f"/api/jobs/{quote(job_id)}/events?limit=1", memory_site.token("read")
    )

    assert [event["version"] for event in events] == [1, 2, 3]


def test_a_job_may_be_called_like_a_history(memory_site: Site) -> None:
    memory_site.report("x/events", type="heartbeat")

    assert memory_site.job("x/events")["id"] == "x/events"
