"""The page of one job."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from tests.support.web.site import Site, moment

STRANGE = (
    "a/b",
    "a//b",
    "/a",
    'a"b',
    "100%",
    "a b",
    "%2F",
    "a?b#c",
    "\u05d0\u05d1",
    "a/../b",
    "🚀",
)


def test_the_stepper_has_one_current_step_and_says_states_in_words(database_site: Site) -> None:
    site = database_site
    site.register()
    site.report(status="provisioning", step="vm_created")

    text = site.get("/jobs/job-1").text

    assert text.count('aria-current="step"') == 1
    assert text.count('<span class="state">completed</span>') == 2
    assert text.count('<span class="state">active</span>') == 1
    assert text.count('<span class="state">pending</span>') == 2
    assert "<title>3 of 5 · Installing Dependencies · job-1 · Milepost</title>" in text


def test_the_icon_in_the_tab_shows_the_state(memory_site: Site) -> None:
    site = memory_site
    site.register()
    icons = [_icon(site)]
    for told in (
        {"status": "provisioning", "step": "vm_created"},
        {"status": "provisioning", "step": "ansible_started"},
        {"status": "failed"},
    ):
        site.report(**told)
        icons.append(_icon(site))

    assert len(set(icons)) == 4
    assert all(each.startswith("data:image/svg+xml,") for each in icons)


def _icon(site: Site) -> str:
    [found] = re.findall(r'<link rel="icon"[^>]* href="([^"]*)"', site.get("/jobs/job-1").text)
    return str(found)


@pytest.mark.parametrize("job_id", STRANGE)
def test_a_job_with_a_strange_id_has_a_page_and_a_link_to_it(
    memory_site: Site, job_id: str
) -> None:
    memory_site.report(job_id, status="running")
    memory_site.project()

    listed = memory_site.get("/jobs").text
    address = listed.split('class="name" href="')[1].split('"')[0]

    assert address in (f"/jobs/{quote(job_id)}", f"/jobs/{quote(job_id, safe='')}")
    # A browser takes `.` and `..` out of a path.
    assert "/../" not in address
    assert memory_site.get(address).status_code == 200


def test_the_root_and_addresses_of_an_earlier_release_lead_to_the_pages(memory_site: Site) -> None:
    for old, new in (("/", "/jobs"), ("/audit", "/jobs"), ("/audit/a/b", "/jobs/a/b")):
        answer = memory_site.client.get(old)
        assert (answer.status_code, answer.headers["Location"]) == (302, new)


def test_an_attempt_says_how_long_its_silences_were(memory_site: Site) -> None:
    site = memory_site
    site.register()
    site.report(status="provisioning")
    for seconds in (180, 200):
        site.clock.advance(seconds)
        site.report(type="heartbeat")

    assert "2 silences, 6 min 20 s in all" in site.get("/jobs/job-1").text


def test_a_clock_counts_from_when_this_attempt_began_to_wait(database_site: Site) -> None:
    site = database_site
    site.register()
    site.clock.advance(178)
    site.report(status="failed", error="no quota")
    site.ordered("retry")
    asked = site.clock()
    site.clock.advance(4)
    site.project()

    for page in ("/jobs/job-1", "/jobs", "/embed/jobs/job-1", "/agents/agent-1"):
        text = site.get(page).text
        since = re.search(r'data-since="([^"]+)">4 s</time>', text)
        assert since, page
        assert moment(since[1]) == asked, page
    assert moment(site.job()["waiting_since"]) == asked


def test_an_order_without_a_reason_ends_its_sentence_once(memory_site: Site) -> None:
    site = memory_site
    site.register()
    site.report(status="provisioning")
    site.ordered("cancel")

    text = site.get("/jobs/job-1").text

    assert "without a reason" in text.split("<figcaption")[1].split("</figcaption>")[0]
    assert ".." not in re.sub(r"<[^>]*>", "", text)


def test_a_step_takes_as_long_in_the_timeline_as_in_the_stepper(memory_site: Site) -> None:
    site = memory_site
    site.register()
    site.report(status="provisioning", step="vm_created")
    site.clock.advance(1.96)
    site.report(status="provisioning", step="ansible_started")
    site.clock.advance(60)
    site.report(status="failed", error="no quota")

    text = site.get("/jobs/job-1").text

    assert '<time class="lasting" datetime="PT1S">2 s</time>' in text
    assert '<span class="timeline-took">2 s</span>' in text


def test_a_page_says_when_time_alone_makes_another_page_of_it(memory_site: Site) -> None:
    """Nothing happens at that time, so no stream tells of it."""
    site = memory_site
    site.register()
    site.report(type="heartbeat")
    site.project()
    pages = ("/jobs/job-1", "/agents/agent-1", "/jobs", "/jobs?q=job-1")

    for silence, state, turns in (
        (100, "ok", "12:02:30"),
        (60, "late", "12:10:00"),
        (450, "unresponsive", "12:15:00"),
        (291, "unresponsive", None),
    ):
        site.clock.advance(silence)
        for page in pages:
            text = site.get(page).text
            found = re.search(r'data-turns="[^"]*T([\d:]{8})', text)
            assert (found and found[1]) == turns, (page, silence)
            assert f'data-health="{state}"' in text


def test_a_page_with_words_that_age_lets_them_tick(memory_site: Site) -> None:
    site = memory_site
    site.register()
    site.report(type="heartbeat")
    site.project()

    def said(path: str) -> str:
        text = site.get(path).text
        assert 'data-since="2026-03-02T12:00:00Z"' in text
        return re.sub(r"<[^>]+>", "", text)

    assert "Last heartbeat 0 s ago, at 12:00:00 UTC." in said("/jobs/job-1")
    site.clock.advance(250)
    for path in ("/jobs/job-1", "/jobs"):
        words = said(path)
        assert "No heartbeat for 4 min 10 s; one is expected every 60 s." in words
        assert "Will be given up at 12:15:00 UTC, in 10 min 50 s." in words
        assert 'data-until="2026-03-02T12:15:00Z"' in site.get(path).text


def test_a_step_of_a_job_that_may_be_dead_does_not_look_alive(memory_site: Site) -> None:
    site = memory_site
    site.register()
    site.report(status="provisioning", step="vm_created")
    site.clock.advance(700)

    for page in ("/jobs/job-1", "/agents/agent-1", "/embed/jobs/job-1"):
        text = site.get(page).text
        assert '<ol class="stepper" data-health="unresponsive">' in text
        assert "active, but unresponsive" in text
        assert "<title>" in text
    assert "<title>Unresponsive! · 3 of 5" in site.get("/jobs/job-1").text


def test_an_attempt_whose_place_another_run_took_does_not_go_on(memory_site: Site) -> None:
    site = memory_site
    site.register()
    site.report(status="provisioning", workflow_run_id="1")
    site.report(status="provisioning", workflow_run_id="2")

    first = site.get("/jobs/job-1").text.split('id="attempt-1"')[1].split('id="attempt-2"')[0]

    assert 'data-state="superseded"' in first
    assert "provisioning" not in first
    assert "data-since" not in first


def test_a_long_error_is_headed_by_the_line_that_says_why(memory_site: Site) -> None:
    site = memory_site
    site.register()
    log = "\n".join(f"TASK [{number}]" for number in range(60))
    site.report(status="failed", error=f"{log}\nE: no lock\nPLAY RECAP\nok=59 failed=1")
    site.project()

    text = site.get("/jobs/job-1").text

    assert '<p class="gist"><bdi>E: no lock</bdi></p>' in text
    assert "63 lines. The box begins with the last ones." in text
    assert "<bdi>E: no lock</bdi>" in site.get("/jobs").text.split('class="error-line"')[1]
    told = text.split('id="timeline"')[1].split("<svg")[0]
    assert "E: no lock" in told
    assert "TASK" not in told
