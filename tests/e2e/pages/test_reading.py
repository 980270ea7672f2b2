"""The pages in a real browser: what a person reads there."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.pages.conftest import HOSTILE, ODD_ID
from tests.support.server import Server


def test_the_jobs_page_leads_to_a_job(page: Page, server: Server) -> None:
    page.goto(server.url)
    expect(page).to_have_url(f"{server.url}/jobs")

    page.get_by_role("link", name="busy-1").click()

    expect(page.locator("[aria-current=step] .label")).to_have_text("Installing Dependencies")
    expect(page.locator("[aria-current=step] .state")).to_have_text("active")
    expect(page).to_have_title("3 of 5 · Installing Dependencies · busy-1 · Milepost")


def test_a_search_is_in_the_address(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/jobs")

    page.get_by_label("Find").fill("agent-2")
    page.keyboard.press("Enter")

    expect(page.locator(".job .name")).to_have_text(["failed-1"])
    assert "q=agent-2" in page.url


@pytest.mark.parametrize("job_id", ["failed-1", ODD_ID, "job/1"])
def test_a_job_of_odd_texts_is_text_and_fits_a_phone(
    page: Page, server: Server, job_id: str
) -> None:
    page.set_viewport_size({"width": 360, "height": 740})

    page.goto(f"{server.url}/jobs/{quote(job_id)}")

    expect(page.locator("h1")).to_have_text(job_id)
    assert page.locator("main img, main script").count() == 0
    assert "run" not in page.title()
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_an_error_is_shown_whole_with_its_line_breaks(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/jobs/failed-1")

    shown = page.locator(".error pre").inner_text()
    assert HOSTILE in shown
    assert shown.count("\n") > 700


def test_the_reference_is_shown_under_its_policy(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/api/docs")

    expect(page.locator(".opblock").first).to_be_visible()
    page.locator(".opblock").first.click()
    expect(page.locator(".opblock-body").first).to_be_visible()
