"""One job: its members, and every name that it may have."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.support.web.members import JOB
from tests.support.web.site import MACHINE, Site, problem_of


def test_a_job_has_exactly_its_members_whatever_happened(site: Site) -> None:
    site.report("unregistered", type="heartbeat")
    site.register()
    site.report(status="failed", error="exit 1", failed_step="provision", **MACHINE)

    assert site.job("unregistered").keys() == JOB
    assert site.job().keys() == JOB


def test_a_job_nobody_heard_of_is_not_found(site: Site) -> None:
    for path in ("/api/jobs/nobody", "/api/jobs/nobody/timeline"):
        assert problem_of(site.get(path), 404, "job-not-found")["error"] == "Job not found"


@pytest.mark.parametrize(
    "job_id",
    [
        "org/repo#12",
        "https://ci.example/runs/1?attempt=2",
        "a//b",
        "trailing/",
        "/leading",
        "x/timeline",
        "timeline",
        "a b",
        "100%",
        "a%2Fb",
        "a+b",
        "a;b=c&d",
        "Zürich",
        "東京😀",
        "a\\b",
        "\"quoted\" 'id'",
        "<b>",
    ],
)
def test_a_job_of_any_name_is_found_where_its_registration_says(
    memory_site: Site, job_id: str
) -> None:
    answer = memory_site.post_job({"job_id": job_id, "agent_id": job_id})
    assert answer.status_code == 201
    location = answer.headers["Location"]

    assert memory_site.read(location)["id"] == job_id
    assert memory_site.read(f"{location}/timeline")["job_id"] == job_id
    escaped = quote(job_id, safe="")
    assert memory_site.read(f"/api/jobs/{escaped}")["id"] == job_id
    agent = memory_site.read(f"/api/agents/{escaped}/instance")
    assert agent["instance"]["agentId"] == job_id


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(job_id=st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1))
def test_every_name_that_is_taken_can_be_read(memory_site: Site, job_id: str) -> None:
    assume(not job_id.startswith("/") and not job_id.endswith("/timeline"))  # see above
    if memory_site.callback({"job_id": job_id, "status": "provisioning"}).status_code == 200:
        assert memory_site.read(f"/api/jobs/{quote(job_id)}")["id"] == job_id
