"""With scripts off, a page shows the state when it is loaded, and its forms work."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.people.browsing import Visitor, active_step
from tests.support.processes.server import TOKEN, Server


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """A tab in which no script runs; nobody has signed in."""
    visitor = Visitor(browser, server, token=None, java_script_enabled=False)
    yield visitor.context.new_page()
    visitor.close()


def test_a_reload_shows_the_state_and_a_form_cancels_the_job(page: Page, server: Server) -> None:
    job = {"job_id": "plain", "agent_id": "agent-of-plain", "user_id": "user-of-plain"}
    assert server.post("/api/jobs", job).status == 201
    page.goto("/jobs/plain")
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{server.url}/jobs/plain")
    expect(active_step(page)).to_have_text("Queued")
    expect(page.get_by_role("button", name="Tell me when it ends")).to_be_hidden()

    server.callback({"job_id": "plain", "status": "provisioning", "step": "vm_created"})
    page.reload()
    expect(active_step(page)).to_have_text("Installing Dependencies")
    page.get_by_label("The job after event").fill("1")
    page.get_by_role("button", name="Show").click()
    expect(active_step(page)).to_have_text("Queued")
    page.get_by_role("link", name="Show it now").click()

    page.locator("#order-cancel summary").click()
    page.locator("#order-cancel").get_by_label("Reason").fill("not needed any more")
    page.locator("#order-cancel").get_by_role("button").click()

    expect(page.locator(".notice")).to_have_text("The job is cancelled.")
    expect(page).to_have_title("Cancelled · plain · Milepost")
    expect(page.locator(".history")).to_contain_text("not needed any more")
    page.get_by_role("button", name="Sign out").click()
    page.goto("/jobs/plain")
    expect(page).to_have_url(f"{server.url}/sign-in?next=%2Fjobs%2Fplain")
