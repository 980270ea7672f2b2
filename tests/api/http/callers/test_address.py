"""The URLs that Milepost gives out name the host that the client has reached."""

from __future__ import annotations

import re

import pytest

from tests.support.web.site import ADMIN, Site, body_of


@pytest.mark.parametrize(
    ("named", "base"),
    [
        ("milepost_web:8000", "http://milepost_web:8000"),
        ("milepost_web_1", "http://milepost_web_1"),
        ("xn--e1afmkfd.example", "http://xn--e1afmkfd.example"),
        ("Milepost.Example:80", "http://milepost.example"),
        ("milepost.example:", "http://milepost.example"),
        ("[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_a_callback_url_can_be_used_whatever_host_was_named(
    memory_site: Site, named: str, base: str
) -> None:
    """With an underscore in the host, the URL of a new job was `http:/api/callbacks/job-1`."""
    answer = memory_site.post_job(
        {"agent_id": "agent-1", "job_id": "job-1"}, headers={"Host": named}
    )
    link = memory_site.client.post(
        "/api/jobs/job-1/links",
        json={},
        headers={"Authorization": f"Bearer {ADMIN}", "Host": named},
    )

    assert body_of(answer)["callback_url"] == f"{base}/api/callbacks/job-1"
    assert body_of(link)["url"].startswith(f"{base}/embed/jobs/job-1?")


@pytest.mark.parametrize(
    "named",
    ["milepost.example:99999", "[fe80::1%25eth0]:80", "me@milepost.example", 'a"b', "a b", ""],
)
def test_a_host_that_no_url_can_have_is_not_repeated(memory_site: Site, named: str) -> None:
    answer = memory_site.post_job(
        {"agent_id": "agent-1", "job_id": "job-1"}, headers={"Host": named}
    )

    own = r"http://(localhost|127\.0\.0\.1:\d+)/api/callbacks/job-1"
    assert re.fullmatch(own, body_of(answer)["callback_url"])


def test_a_form_of_a_host_with_an_underscore_is_its_own(site: Site) -> None:
    """A browser without Sec-Fetch-Site could not sign in there."""
    headers = {"Host": "milepost_web:8000", "Origin": "http://milepost_web:8000"}

    answer = site.client.post("/sign-in", data={"token": ADMIN}, headers=headers)

    assert answer.status_code == 303
