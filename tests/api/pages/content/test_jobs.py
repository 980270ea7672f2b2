"""The page of all jobs."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
import pytest

from api.pages.content.search import MOST_CHARACTERS, MOST_READ, READ_AT_ONCE
from projections.read_model.filters import JobFilter
from projections.reading.reader import Reader
from projections.views.instance import Instance
from tests.support.jobs.wide import widen
from tests.support.stores.deployment import Deployment
from tests.support.web.site import ADMIN, MACHINE, Site, app_over, bearer


def test_an_empty_store_shows_how_to_send_the_first_callback(memory_site: Site) -> None:
    answer = memory_site.get("/jobs")

    assert answer.status_code == 200
    assert "milepost demo --url http://localhost</code>" in answer.text
    assert "In the folder where the server was started" in answer.text
    assert "openssl dgst" in answer.text
    assert "http://localhost/api/webhooks/github" in answer.text


def test_the_first_commands_go_to_the_server_as_its_browser_reaches_it(memory: Deployment) -> None:
    public = "https://milepost.example/ops"
    site = Site(memory, public_url=public)

    assert f"milepost demo --url {public}</code>" in site.get("/jobs").text


def test_each_job_is_in_one_list(database_site: Site) -> None:
    site = database_site
    site.register("left")
    site.report("left", status="failed", error="no quota", **MACHINE)
    site.register("busy", "agent-2", "user-2")
    site.report("busy", status="provisioning")
    site.register("done", "agent-3", "user-3")
    site.report("done", status="running", **MACHINE)
    site.project()

    text = site.get("/jobs").text

    attention, busy, recent = (
        text.split(f'data-live="{name}"')[1] for name in ("attention", "in-progress", "recent")
    )
    attention, busy = attention.split("data-live")[0], busy.split("data-live")[0]
    assert "/jobs/left" in attention
    assert "left the machine srv-1 behind" in attention
    assert "/jobs/busy" in busy
    assert "/jobs/done" in recent
    assert [text.count(f'href="/jobs/{name}"') for name in ("left", "busy", "done")] == [1, 1, 1]


def test_a_search_finds_an_id_of_a_job_an_agent_or_a_user(database_site: Site) -> None:
    site = database_site
    for number in ("1", "2"):
        site.register(f"job-{number}", f"agent-{number}", f"user-{number}")
        site.report(f"job-{number}", status="running", **MACHINE)
    site.project()

    for found in ("job-2", "agent-2", "user-2"):
        text = site.get(f"/jobs?q={found}").text
        assert 'href="/jobs/job-2"' in text, found
        assert 'href="/jobs/job-1"' not in text, found
    assert 'href="/jobs/job-1"' in site.get("/jobs?q=JOB").text
    nothing = site.get("/jobs?q=odd").text
    assert "No job that you may see fits." in nothing
    assert "2 jobs were looked through: their ids" in nothing


@pytest.mark.parametrize(
    "known", ["srv-815", "203.0.113.7", "100.64.0.7", "8811", "dpkg/lock", "ansible", "agent-"]
)
def test_a_search_finds_what_an_operator_knows_of_a_job(database_site: Site, known: str) -> None:
    site = database_site
    site.register("wanted", "agent-1", "ada")
    site.report("wanted", status="provisioning", workflow_run_id="8811")
    site.report(
        "wanted",
        status="failed",
        error="a log\nE: Could not get lock /var/lib/dpkg/lock-frontend\nmore",
        failed_step="ansible",
        server_id="srv-815",
        server_ip="203.0.113.7",
        tailscale_ip="100.64.0.7",
        workflow_run_id="8811",
    )
    site.report("other", status="provisioning")
    site.project()

    text = site.get(f"/jobs?q={known}").text

    assert 'href="/jobs/wanted"' in text
    assert 'href="/jobs/other"' not in text
    bound = site.token("read", user_id="bob")
    assert "/jobs/wanted" not in site.get(f"/jobs?q={known}", bound).text


def test_a_search_looks_through_a_bounded_number_of_jobs_and_goes_on(
    memory_site: Site,
) -> None:
    site = memory_site
    site.report("first", status="failed", error="no quota")
    for number in range(MOST_READ):
        site.report(f"job-{number}", status="failed", error="other")
    site.project()

    text = site.get("/jobs?q=no+quota").text
    assert "The newest 1,000 jobs were looked through" in text
    address = text.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    older = site.get(address).text

    assert 'href="/jobs/first"' in older
    assert 'rel="next"' not in older


class Long(Reader):
    """A reader of long documents, which notes how many of them are read at a time."""

    at_once = 0

    def measured_instances(self, wanted: JobFilter) -> Iterator[tuple[Instance, int]]:
        self.at_once = max(self.at_once, wanted.limit)
        for instance, length in super().measured_instances(wanted):
            assert length > 100
            yield instance, MOST_CHARACTERS // 60


def test_a_search_looks_through_a_bounded_amount_of_text_and_goes_on(memory: Deployment) -> None:
    site = Site(memory)
    reader = Long(memory.read_model, memory.milepost.mapper)
    client = app_over(msgspec.structs.replace(site.services, reader=reader)).test_client()
    for number in range(100):
        site.report(f"job-{number}", status="failed", error="other")
    site.project()

    text = client.get("/jobs?q=no+quota", headers=bearer(ADMIN)).text
    address = text.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    older = client.get(address, headers=bearer(ADMIN)).text

    assert "The newest 61 jobs were looked through" in text
    assert "39 jobs were looked through" in older
    assert 'rel="next"' not in older
    assert reader.at_once == READ_AT_ONCE


def test_a_page_of_a_search_does_not_search_again_by_itself(memory_site: Site) -> None:
    """An open page would look through 1,000 jobs again for each event of any job."""
    memory_site.register()
    memory_site.project()

    searched = memory_site.get("/jobs?q=JOB").text
    assert "data-watch" not in searched
    assert "1 job was looked through" in searched, "also if one fits"
    assert "data-watch" in memory_site.get("/jobs?q=job-1").text


def test_an_outcome_is_a_filter_too(database_site: Site) -> None:
    site = database_site
    for name in ("broken", "given-up", "unwanted"):
        site.register(name, f"agent-of-{name}", f"user-of-{name}")
        site.report(name, status="provisioning")
    site.report("broken", status="failed", error="no quota")
    site.order("cancel", "unwanted")
    site.clock.advance(10_000)
    site.watch()
    site.project()

    for status, name in (("timed_out", "given-up"), ("cancelled", "unwanted")):
        text = site.get(f"/jobs?status={status}").text
        rows = text.split('id="found"')[1]
        assert [f'href="/jobs/{each}"' in rows for each in ("broken", "given-up", "unwanted")] == [
            each == name for each in ("broken", "given-up", "unwanted")
        ]
        assert f'<option value="{status}" selected>' in text
    assert site.get("/jobs?status=failed").text.count('<li class="job"') == 3


def test_filters_narrow_a_search(memory_site: Site) -> None:
    site = memory_site
    site.register("failed")
    site.report("failed", status="failed", error="no quota")
    site.register("runs")
    site.report("runs", status="running", **MACHINE)
    site.project()

    text = site.get("/jobs?q=user-1&status=failed").text

    assert 'href="/jobs/failed"' in text
    assert 'href="/jobs/runs"' not in text


def test_a_long_list_has_a_next_page_and_counts(database_site: Site) -> None:
    site = database_site
    for number in range(60):
        site.report(f"job-{number}", status="failed", error="no quota")
    site.project()

    first = site.get("/jobs?status=failed").text
    assert first.count('<li class="job"') == 50
    address = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    second = site.get(address).text

    assert second.count('<li class="job"') == 10
    assert 'rel="next"' not in second
    assert "<b>60</b> failed" in first


def test_a_bound_token_sees_and_counts_its_own_jobs_only(database_site: Site) -> None:
    site = database_site
    site.register("mine", "agent-1", "ada")
    site.register("hers", "agent-2", "bob")
    site.project()
    token = site.token("read", user_id="ada")

    for query in ("", "?user=bob", "?q=hers", "?q=bob", "?agent=agent-2", "?status=attention"):
        text = site.get(f"/jobs{query}", token).text
        assert "/jobs/hers" not in text, query
    assert "<b>1</b> pending" in site.get("/jobs", token).text


def test_an_address_with_what_no_filter_understands_is_answered(memory_site: Site) -> None:
    memory_site.report("job-1", status="running")
    memory_site.project()

    answer = memory_site.get("/jobs?status=odd&cursor=x&nothing=1")

    assert answer.status_code == 200
    assert 'href="/jobs/job-1"' in answer.text


@pytest.mark.parametrize("name", ["q", "agent", "user"])
def test_a_filter_that_no_id_can_be_finds_nothing(database_site: Site, name: str) -> None:
    site = database_site
    site.register()

    shown = site.look(f"/jobs?{name}=job%00", site.sign_in())

    assert shown.status_code == 200
    assert "No job that you may see fits." in shown.text
    listed = site.look(f"/jobs?status=attention&{name}=job%00", site.sign_in())
    assert "Nothing needs attention." in listed.text


def test_a_search_for_an_agent_with_wide_jobs_loses_none_between_pages(memory_site: Site) -> None:
    widen(memory_site.services.read_model, 10)
    client = memory_site.app.test_client()

    seen, address = list[set[str]](), "/jobs?q=agent"
    while address:
        text = client.get(address, headers=bearer(ADMIN)).text
        seen.append(set(re.findall(r"job-[0-9]\b", text)))
        following = text.split('rel="next" href="')[1:]
        address = following[0].split('"')[0].replace("&amp;", "&") if following else ""

    assert [len(page) for page in seen] == [4, 4, 2]
    assert set.union(*seen) == {f"job-{number}" for number in range(10)}
