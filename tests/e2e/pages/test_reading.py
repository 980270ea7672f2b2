"""The pages in a real browser: what a person reads there."""

from __future__ import annotations

from urllib.parse import quote

from playwright.sync_api import Browser, expect

from tests.e2e.pages.stories import HOSTILE, ODD_ID
from tests.support.people.browsing import Visitor
from tests.support.processes.server import Server

CRAFTED = (
    "a%2F..%2Fjob%2F1",
    "..%2Fjobs%2Fjob%2F1",
    "x%2F%2e%2e%2Fjob%2F1",
    "job%2F.%2F1",
    "job%2F1%2Fevents%3F",
    "job%2F1%23",
    "job%2F1%E2%80%AE",
    "job%EF%BC%8F1",
    "%ff",
    "job%2F1%2Fevents%2F1%2Fproof%3F",
)
MARKUP = "%3Cimg%20src=x%20onerror=document.title=1%3E"
SHOWN = """addresses => Promise.all(addresses.map(async (address) => {
  const text = await (await fetch(address)).text();
  const shown = new DOMParser().parseFromString(text, "text/html");
  return [shown.querySelector("h1").textContent,
    shown.querySelectorAll(".stepper, .events, main img").length];
}))"""
"""The browser changes an address that it fetches as it changes one that it opens."""


def test_the_jobs_page_leads_to_a_job(visitor: Visitor) -> None:
    page = visitor.open("/")
    expect(page).to_have_url(f"{visitor.server.url}/jobs")

    page.get_by_role("link", name="busy-1").click()

    expect(page.locator("[aria-current=step] .label")).to_have_text("Installing Dependencies")
    expect(page.locator("[aria-current=step] .state")).to_have_text("active")
    expect(page).to_have_title("3 of 5 · Installing Dependencies · busy-1 · Milepost")


def test_a_search_is_in_the_address(visitor: Visitor) -> None:
    page = visitor.open("/jobs")

    page.get_by_label("Find").fill("agent-2")
    page.keyboard.press("Enter")

    expect(page.locator(".job .name")).to_have_text(["failed-1"])
    assert "q=agent-2" in page.url


def test_odd_texts_are_text_and_fit_a_phone(visitor: Visitor) -> None:
    page = visitor.context.new_page()
    page.set_viewport_size({"width": 360, "height": 740})
    headings = {"/jobs": "Jobs"}
    for job_id in ("failed-1", ODD_ID, "refused-1"):
        path = f"/jobs/{quote(job_id)}"
        headings |= {path: job_id, f"{path}?version=2": job_id}

    for path, heading in headings.items():
        page.goto(path)
        expect(page.locator("h1")).to_have_text(heading)
        assert page.locator("main img, main script").count() == 0, path
        assert page.title() != "run", path
        assert page.evaluate("document.documentElement.scrollWidth") == 360, path


def test_an_error_is_shown_whole_with_its_line_breaks(visitor: Visitor) -> None:
    shown = visitor.open("/jobs/failed-1").locator(".error pre").inner_text()

    assert HOSTILE in shown
    assert shown.count("\n") > 700


def test_the_slider_travels_in_time(visitor: Visitor) -> None:
    page = visitor.open("/jobs/job/1")
    expect(page.locator(".subject .status")).to_have_text("running")

    page.get_by_label("The job after event").focus()
    page.keyboard.press("Home")

    expect(page.locator(".subject .status")).to_have_text("pending")
    expect(page.locator("[aria-current=step] .label")).to_have_text("Queued")
    assert "version=1" in page.url
    page.get_by_role("link", name="Show it now").click()
    expect(page.locator(".subject .status")).to_have_text("running")


def test_an_event_leads_to_the_job_as_it_was_after_it(visitor: Visitor) -> None:
    page = visitor.open("/jobs/job/1")

    failed = page.locator("#event-5")
    failed.get_by_role("link").click()

    expect(page.locator(".subject .status")).to_have_text("failed")
    expect(page.locator(".error pre")).to_have_text("no lock")
    expect(page.locator(".events [aria-current]")).to_have_count(1)


def test_the_slider_works_without_scripts(browser: Browser, server: Server) -> None:
    visitor = Visitor(browser, server, java_script_enabled=False)
    page = visitor.open("/jobs/job/1?version=4")
    expect(page.get_by_role("slider")).to_have_value("4")

    page.get_by_role("slider").focus()
    page.keyboard.press("Home")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".subject .status")).to_have_text("pending")
    page.get_by_role("link", name="Later").click()
    expect(page.locator(".subject .status")).to_have_text("provisioning")
    visitor.close()


def test_a_crafted_address_shows_no_other_jobs_history(visitor: Visitor) -> None:
    page = visitor.open(f"/jobs/{MARKUP}")
    expect(page.locator("h1")).to_have_text("Job not found")
    assert page.title() != "1"

    shown = page.evaluate(SHOWN, [f"/jobs/{address}" for address in (MARKUP, *CRAFTED)])

    assert shown == [["Job not found", 0]] * (1 + len(CRAFTED))


def test_dots_between_slashes_and_unseen_characters_name_their_own_job(visitor: Visitor) -> None:
    for job_id, shown in (("job/../1", "job/../1"), ("1\u202ebog", "1\\u202ebog")):
        told = {"job_id": job_id, "status": "failed", "error": f"of {shown}"}
        assert visitor.server.callback(told).status == 200

        page = visitor.open("/jobs")
        page.get_by_role("link", name=shown, exact=True).click()

        expect(page.locator("h1")).to_have_text(shown)
        expect(page.locator(".error pre")).to_have_text(f"of {shown}")


def test_the_reference_is_shown_under_its_policy(visitor: Visitor) -> None:
    page = visitor.open("/api/docs")

    # Swagger UI takes its time on a busy machine.
    expect(page.locator(".opblock").first).to_be_visible(timeout=30_000)
    page.locator(".opblock").first.click()
    expect(page.locator(".opblock-body").first).to_be_visible()


UUID = "6ad6ba7b-8109-4dad-91d1-80b400c04fd4"
BROKEN = """selector => [...document.querySelectorAll(selector)]
  .filter(each => each.getClientRects().length > 1
    || each.getBoundingClientRect().height > 1.9 * parseFloat(getComputedStyle(each).fontSize))
  .map(each => each.textContent)"""
STICKING_OUT = """() => [...document.querySelectorAll("main time")].filter(time => {
  const cell = time.closest("dd, .long, .took, p");
  return time.getBoundingClientRect().right > cell.getBoundingClientRect().right + 1;
}).map(time => time.textContent)"""


def test_times_and_ids_stay_whole_where_there_is_room(visitor: Visitor, server: Server) -> None:
    job = {"job_id": UUID, "agent_id": f"{UUID[:-1]}5", "user_id": "a-user"}
    assert server.post("/api/jobs", job).status == 201
    server.callback({"job_id": UUID, "status": "provisioning", "step": "vm_created"})
    server.callback({"job_id": UUID, "status": "failed", "error": "no quota"})
    page = visitor.context.new_page()

    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto("/jobs")
    expect(page.get_by_role("link", name=UUID)).to_be_visible()
    assert page.evaluate(BROKEN, f".job:has([href='/jobs/{UUID}']) .id") == []
    page.goto(f"/jobs/{UUID}")
    for width in (360, 1000, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(BROKEN, ".timeline-ends span") == [], width
    page.goto(f"/agents/{job['agent_id']}")
    expect(page.locator(".jobs")).to_be_visible()
    # A person's own font may be wider than ours.
    page.evaluate("document.body.style.fontFamily = 'monospace'")
    for width in (1000, 850):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(STICKING_OUT) == [], width
