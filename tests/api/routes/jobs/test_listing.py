"""Lists of jobs: all of them, and those that need somebody."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.jobs.wide import widen
from tests.support.web.site import ADMIN, MACHINE, Site, body_of, problem_of

NEXT = re.compile(r'^<([^>]+)>; rel="next"$')


def ids(listed: dict[str, Any]) -> list[str]:
    return [job["id"] for job in listed["jobs"]]


def test_a_list_of_an_outcome_says_what_to_ask_for(memory_site: Site) -> None:
    problem = problem_of(memory_site.get("/api/jobs?status=cancelled"), 400)

    assert problem["errors"]["status"][0] == (
        "cancelled is an outcome: such a job has the status failed and outcome=cancelled."
    )


def populated(site: Site, count: int = 7) -> None:
    """Register jobs 1 to `count`, each of an agent and a user of its own, and project them."""
    for number in range(1, count + 1):
        site.register(f"job-{number}", f"agent-{number}", f"user-{number}")
    site.project()


def test_a_list_has_the_newest_first(site: Site) -> None:
    populated(site, 3)
    site.report("job-1", status="provisioning")
    site.project()

    assert ids(site.read("/api/jobs")) == ["job-3", "job-2", "job-1"]
    assert site.read("/api/jobs")["jobs"][2] == site.job("job-1")


def test_an_empty_list_is_a_list(site: Site) -> None:
    assert site.read("/api/jobs") == {"jobs": []}


def test_a_list_is_as_new_as_the_read_model(site: Site) -> None:
    populated(site, 1)
    site.register("job-2", "agent-2", "user-2")

    assert ids(site.read("/api/jobs")) == ["job-1"]


def test_filters_narrow_a_list(site: Site) -> None:
    site.register("job-1", "agent-1", "ada")
    site.report("job-1", status="failed")
    site.register("job-2", "agent-1", "ada")
    site.report("job-2", status="running", **MACHINE)
    site.register("job-3", "agent-3", "bob")
    site.project()

    for query, expected in (
        ("agent_id=agent-1", ["job-2", "job-1"]),
        ("user_id=ada", ["job-2", "job-1"]),
        ("status=running", ["job-2"]),
        ("status=pending", ["job-3"]),
        ("agent_id=agent-1&status=failed", ["job-1"]),
        ("agent_id=agent-1&user_id=bob", []),
        ("status=stopped", []),
    ):
        assert ids(site.read(f"/api/jobs?{query}")) == expected, query


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_the_link_header_leads_through_every_page(site: Site, limit: int) -> None:
    populated(site)
    path, pages = f"/api/jobs?limit={limit}", []

    while path:
        answer = site.get(path)
        pages.append(ids(body_of(answer)))
        following = NEXT.match(answer.headers.get("Link", ""))
        path = following[1] if following else ""

    assert [job_id for page in pages for job_id in page] == [f"job-{n}" for n in range(7, 0, -1)]
    assert all(len(page) == limit for page in pages[:-1])
    assert pages[-1]


def test_jobs_that_come_while_someone_pages_move_nothing(site: Site) -> None:
    populated(site, 4)
    first = site.get("/api/jobs?limit=2")
    site.report("job-3", status="provisioning")
    site.register("job-5", "agent-5", "user-5")
    site.project()

    following = NEXT.match(first.headers["Link"])

    assert following
    assert ids(site.read(following[1])) == ["job-2", "job-1"]


def test_the_next_page_keeps_the_filters(site: Site) -> None:
    user = "Ä & b=c"
    for number in range(4):
        owner = user if number % 2 else "somebody else"
        site.register(f"job-{number}", f"agent-{number}", owner)
        site.report(f"job-{number}", status="failed")
    site.project()

    first = site.get(f"/api/jobs?limit=1&status=failed&user_id={quote(user)}")

    assert ids(body_of(first)) == ["job-3"]
    following = NEXT.match(first.headers["Link"])
    assert following
    second = site.get(following[1])
    assert ids(body_of(second)) == ["job-1"]
    assert "Link" not in second.headers


def test_a_list_waits_for_a_receipts_position(site: Site) -> None:
    populated(site, 1)
    receipt = site.report("job-1", status="provisioning")
    site.project()

    listed = site.read(f"/api/jobs?min_position={receipt['position']}")

    assert listed["jobs"][0]["status"] == "provisioning"


def test_waiting_for_a_position_ends(site: Site) -> None:
    receipt = site.report(status="provisioning")
    reader = site.services.reader

    assert not reader.catching_up.wait_for(receipt["position"], 0)
    site.project()
    assert reader.catching_up.wait_for(receipt["position"], 0)
    assert not reader.catching_up.wait_for(receipt["position"] + 1, 0)


# What needs somebody now


def needing(site: Site, query: str = "", token: str = ADMIN) -> list[tuple[str, list[str]]]:
    listed = site.read(f"/api/jobs?attention=true{query}", token)
    return [
        (job["id"], [reason["reason"] for reason in job["attention"]]) for job in listed["jobs"]
    ]


def in_trouble(site: Site) -> None:
    site.register("pending", "agent-1", "user-1")
    site.register("unresponsive", "agent-2", "user-2")
    site.report("unresponsive", status="provisioning")
    site.register("left", "agent-3", "user-3")
    site.report("left", status="failed", error="boom", server_id="srv-1")
    site.register("refused", "agent-6", "user-6")
    assert site.callback({"job_id": "refused", "status": "exploded"}).status_code == 400
    site.register("runs", "agent-4", "user-4")
    site.report("runs", status="running", **{**MACHINE, "server_id": "srv-2"})
    site.clock.advance(1500)
    site.register("late", "agent-5", "user-5")
    site.report("late", status="provisioning")
    site.clock.advance(301)
    site.project()


def test_what_needs_somebody_is_listed_the_worst_first_and_says_why(site: Site) -> None:
    in_trouble(site)

    assert needing(site) == [
        ("left", ["machine_left"]),
        ("refused", ["refused", "pending"]),
        ("unresponsive", ["unresponsive"]),
        ("late", ["late"]),
        ("pending", ["pending"]),
    ]
    listed = site.read("/api/jobs?attention=true")["jobs"]
    assert listed[0].keys() == site.job("left").keys() | {"attention"}
    texts = [job["attention"][0]["text"] for job in listed]
    assert texts.pop(1).startswith("A callback was refused, so its news may be lost: ")
    assert texts == [
        "Attempt 1 left the machine srv-1 behind 30 min 1 s ago, and nobody has confirmed that it "
        "is gone. Remove it, then: milepost stopped left --server srv-1",
        "No heartbeat for 30 min 1 s; one is expected every 60 s. Its deadline was 12:15:00 UTC; "
        "it is not given up yet. Look at the workflow's run; if it is dead: "
        "milepost fail unresponsive",
        "No heartbeat for 5 min 1 s; one is expected every 60 s. Will be given up at 12:40:00 UTC. "
        "Look at the workflow's run; if it is dead: milepost fail late",
        "Queued for 30 min 1 s; its workflow has not reported yet. Will be given up at "
        "13:00:00 UTC. Look whether its workflow was dispatched; if nobody wants it: "
        "milepost cancel pending",
    ]
    assert listed[0]["attention"][0]["since"] == "2026-03-02T12:00:00+00:00"


def test_a_stop_that_nobody_confirms_is_listed_and_counted_until_somebody_does(site: Site) -> None:
    site.register("job-1", "agent-1", "user-1")
    site.report("job-1", status="running", **MACHINE)
    site.stop("agent-1")
    counted = 'milepost_jobs_needing_attention{reason="stopping"}'
    site.project()
    site.clock.advance(3599)
    assert needing(site) == []

    site.clock.advance(1)

    assert needing(site) == [("job-1", ["stopping"])]
    assert f"{counted} 1.0" in site.get("/metrics").text
    [reason] = site.read("/api/jobs?attention=true")["jobs"][0]["attention"]
    assert reason["since"] == "2026-03-02T12:00:00+00:00"
    advice = reason["text"].partition("then: milepost ")[2]
    assert advice == f"stopped job-1 --server {MACHINE['server_id']}"

    site.ordered("stopped", "job-1", server_id=MACHINE["server_id"])
    site.project()
    assert needing(site) == []
    assert f"{counted} 0.0" in site.get("/metrics").text


def test_nobody_is_needed_once_it_is_done(site: Site) -> None:
    in_trouble(site)
    site.ordered("stopped", "left")
    for job_id in ("unresponsive", "late", "pending", "refused"):
        site.ordered("fail", job_id)
    site.project()

    assert needing(site) == []


def test_the_list_of_what_needs_somebody_is_paged_and_filtered(site: Site) -> None:
    in_trouble(site)

    path, found = "/api/jobs?attention=true&limit=1", list[str]()
    while True:
        answer = site.get(path)
        found += ids(body_of(answer))
        following = NEXT.match(answer.headers.get("Link", ""))
        if not following:
            break
        path = following[1]

    assert found == ["left", "refused", "unresponsive", "late", "pending"]
    assert needing(site, "&status=failed") == [("left", ["machine_left"])]
    assert needing(site, "&agent_id=agent-5") == [("late", ["late"])]


def test_a_user_is_shown_what_of_theirs_needs_somebody(site: Site) -> None:
    in_trouble(site)
    token = site.token("read", user_id="user-3")

    assert needing(site, token=token) == [("left", ["machine_left"])]
    assert needing(site, "&user_id=user-2", token) == []


@pytest.mark.parametrize("query", ["attention=perhaps", "attention=true&cursor=p7", "cursor=r0p7"])
def test_a_cursor_of_another_list_is_refused(memory_site: Site, query: str) -> None:
    assert problem_of(memory_site.get(f"/api/jobs?{query}"), 400)["title"] == "Invalid fields"


def test_a_page_of_wide_jobs_ends_early_and_its_link_goes_on(memory_site: Site) -> None:
    widen(memory_site.services.read_model, 10)

    pages, path = list[list[str]](), "/api/jobs?limit=50"
    while path:
        answer = memory_site.get(path)
        pages.append(ids(body_of(answer)))
        following = NEXT.match(answer.headers.get("Link", ""))
        path = following[1] if following else ""

    assert [len(page) for page in pages] == [4, 4, 2]
    listed = [job_id for page in pages for job_id in page]
    assert listed == [f"job-{number}" for number in reversed(range(10))]


def test_a_page_of_wide_jobs_that_need_somebody_has_a_link_too(memory_site: Site) -> None:
    widen(memory_site.services.read_model, 10)
    memory_site.clock.advance(3_600)

    answer = memory_site.get("/api/jobs?attention=true&limit=50")

    assert len(body_of(answer)["jobs"]) == 4
    assert NEXT.match(answer.headers["Link"])
