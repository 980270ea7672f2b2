"""Behind a path prefix, a page is live, too, and leads back to itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.support.people.browsing import Visitor, active_step, connected
from tests.support.processes.server import TOKEN, Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server whose paths begin with /milepost."""
    made = Server(tmp_path)
    made.env["MILEPOST_PATH_PREFIX"] = "/milepost"
    yield made.start()
    made.kill()


def test_a_page_behind_a_prefix_is_live_and_its_sign_in_leads_back(
    browser: Browser, server: Server
) -> None:
    server.callback({"job_id": "a/b", "status": "provisioning"})
    visitor = Visitor(browser, server, token=None)
    page = visitor.open("/milepost/jobs/a/b")
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{server.url}/milepost/jobs/a/b")
    connected(visitor)

    server.callback({"job_id": "a/b", "status": "provisioning", "step": "vm_created"})

    expect(active_step(page)).to_have_text("Installing Dependencies")
    [stream] = visitor.streams
    assert stream.url == f"{server.url}/milepost/api/stream?job_id=a%2Fb"
    visitor.context.clear_cookies()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.get_by_role("link", name="Sign in again").click()
    expect(page).to_have_url(f"{server.url}/milepost/sign-in?next=%2Fjobs%2Fa%2Fb")
    visitor.close()
