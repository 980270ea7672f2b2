"""The audit page in a real browser: what a person sees of a job's history."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from tests.support.server import TOKEN, Server

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
HOSTILE = "<img src=x onerror=\"document.title='run'\">"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, as Debian and others install it."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None and "CI" not in os.environ:
        pytest.skip("the pages are tested in chromium, which is not installed")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=QUIET)
        yield started
        started.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one job, which failed once, was tried again, and runs."""
    server = Server(tmp_path_factory.mktemp("server")).start()
    job = {"job_id": "job/1", "agent_id": "agent-1", "user_id": "ada"}
    assert server.post("/api/jobs", job).status == 201
    for told in (
        {"status": "provisioning", "workflow_run_id": "1"},
        {"status": "provisioning", "step": "vm_created", "note": HOSTILE},
        {"type": "heartbeat"},
        {"status": "failed", "error": "no lock"},
        {"status": "provisioning", "workflow_run_id": "2"},
        {"status": "running"},
    ):
        assert server.callback({"job_id": "job/1", **told}).status == 200
    yield server
    server.kill()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A new tab that complains of nothing."""
    context = browser.new_context()
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("requestfailed", lambda request: complaints.append(request.url))
    yield opened
    context.close()
    assert complaints == []


def ask(page: Page, server: Server, job_id: str = "job/1", token: str = TOKEN) -> None:
    page.goto(f"{server.url}/audit")
    page.get_by_label("Job", exact=True).fill(job_id)
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Show").click()


def shown(page: Page) -> list[str]:
    """Return the status of every UI step on the page."""
    return page.locator("#steps li").evaluate_all("items => items.map(item => item.title)")  # type: ignore[no-any-return]


def test_the_page_shows_the_history_and_how_the_job_stands(page: Page, server: Server) -> None:
    ask(page, server)

    expect(page.locator("#status")).to_have_text("running")
    kinds = page.locator("#events code").all_text_contents()
    assert kinds[:4] == ["JobQueued", "StatusReported", "StepReported", "HeartbeatReceived"]
    assert shown(page) == ["completed"] * 5
    assert page.url.startswith(f"{server.url}/audit/job/1#")
    expect(page.locator("#count")).to_contain_text(f"{len(kinds)} events")
    signers = page.locator("#events td:last-child").all_text_contents()
    assert signers[0] == 'token admin "admin"'
    assert signers[1].startswith("x-signature ")


def test_a_history_of_large_events_has_a_button_for_its_next_page(
    page: Page, server: Server
) -> None:
    for _ in range(6):
        large = {"job_id": "large", "status": "odd", "log": "x" * 1_000_000}
        assert server.callback(large).status == 400
    ask(page, server, "large")

    expect(page.locator("#count")).to_contain_text("events and more")
    page.get_by_role("button", name="more").click()
    expect(page.locator("#count")).to_contain_text("6 events;")


def test_a_click_on_an_event_shows_the_job_as_it_stood_then(page: Page, server: Server) -> None:
    ask(page, server)

    page.locator("#events tr").filter(has_text="no lock").first.click()

    expect(page.locator("#status")).to_have_text("failed")
    assert "error" in shown(page)
    expect(page.locator("#where")).to_have_text("at vm_created")
    expect(page.locator("#events tr[aria-current=true]")).to_have_count(1)


def test_the_slider_travels_in_time(page: Page, server: Server) -> None:
    ask(page, server)
    expect(page.locator("#status")).to_have_text("running")

    page.get_by_label("Version", exact=True).focus()
    page.keyboard.press("Home")

    expect(page.locator("#status")).to_have_text("pending")
    assert shown(page) == ["active", *["pending"] * 4]


def test_an_address_leads_to_its_moment(page: Page, server: Server) -> None:
    ask(page, server)
    expect(page.locator("#status")).to_have_text("running")

    page.goto("about:blank")
    page.goto(f"{server.url}/audit/job/1#3")

    expect(page.locator("#at")).to_contain_text("version 3")
    expect(page.locator("#where")).to_have_text("at vm_created")


def test_a_replay_ends_where_the_job_ended(page: Page, server: Server) -> None:
    page.clock.install()
    ask(page, server)
    expect(page.locator("#status")).to_have_text("running")

    page.get_by_role("button", name="Replay").click()
    expect(page.locator("#status")).to_have_text("pending")
    seen = []
    while page.get_by_role("button", name="Pause").count():
        page.clock.run_for(700)  # a tick
        seen.append(page.locator("#status").text_content())

    assert list(dict.fromkeys(seen)) == ["provisioning", "failed", "pending", "running"]


def test_what_a_callback_said_is_shown_as_text(page: Page, server: Server) -> None:
    ask(page, server)

    expect(page.locator("#events")).to_contain_text(HOSTILE)
    assert page.locator("#events img").count() == 0
    assert page.title() == "job/1 · audit · Milepost"


@pytest.mark.parametrize(
    ("job_id", "token", "words"),
    [
        ("job-2", TOKEN, "This job does not exist, or this token may not see it."),
        ("job/1", "not-the-token", "The server does not know this token."),
    ],
)
def test_a_refusal_is_said_in_words(
    page: Page, server: Server, job_id: str, token: str, words: str
) -> None:
    ask(page, server, job_id, token)

    expect(page.locator("#message")).to_have_text(words)
    expect(page.locator("#history")).to_be_hidden()


# Crafted addresses

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
    "%3Cimg%20src=x%20onerror=document.title=1%3E",
)


@pytest.mark.parametrize("address", CRAFTED)
def test_a_crafted_address_shows_no_other_jobs_history(
    page: Page, server: Server, address: str
) -> None:
    ask(page, server)
    expect(page.locator("#status")).to_have_text("running")

    page.goto(f"{server.url}/audit/{address}")

    expect(page.locator("#message")).to_have_class("wrong")
    expect(page.locator("#history")).to_be_hidden()
    expect(page.locator("#moment")).to_be_hidden()
    assert page.locator("#events tr").count() == 0


def test_a_job_whose_id_has_dots_between_slashes_is_shown(page: Page, server: Server) -> None:
    other = {"job_id": "job/../1", "status": "failed", "error": "of another job"}
    assert server.callback(other).status == 200

    ask(page, server, "job/../1")

    expect(page.locator("#status")).to_have_text("failed")
    expect(page.locator("#title")).to_have_text("job/../1")
    page.reload()
    expect(page.locator("#events")).to_contain_text("of another job")


def test_a_job_that_is_called_like_the_path_of_another_one_is_not_taken_for_it(
    page: Page, server: Server
) -> None:
    assert server.callback({"job_id": "a/events", "status": "failed"}).status == 200

    ask(page, server, "a")

    expect(page.locator("#message")).to_have_class("wrong")
    expect(page.locator("#history")).to_be_hidden()


@pytest.mark.parametrize("job_id", [".", ".."])
def test_an_id_that_no_browser_can_ask_for_is_said_in_words(
    page: Page, server: Server, job_id: str
) -> None:
    ask(page, server, job_id)

    expect(page.locator("#message")).to_have_text(
        "A browser cannot ask for this id; milepost audit can."
    )


def test_an_answer_about_another_job_is_not_shown(page: Page, server: Server) -> None:
    """As a proxy might give that decodes a path twice."""
    assert server.callback({"job_id": "other", "status": "failed"}).status == 200
    page.route(
        "**/api/jobs/other/events*",
        lambda route: route.continue_(url=f"{server.url}/api/jobs/job/1/events"),
    )

    ask(page, server, "other")

    expect(page.locator("#message")).to_have_text("The answer is about another job.")
    assert page.locator("#events tr").count() == 0


def test_an_answer_that_comes_late_is_not_shown_under_the_next_job(
    page: Page, server: Server
) -> None:
    held: list[Route] = []
    page.route("**/api/jobs/job/1/events*", lambda route: held.append(route))
    assert server.callback({"job_id": "late-2", "status": "failed"}).status == 200
    ask(page, server)
    page.get_by_label("Job", exact=True).fill("late-2")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#status")).to_have_text("failed")

    with page.expect_response("**/api/jobs/job/1/events*"):
        held[0].continue_()

    expect(page.locator("#count")).to_contain_text("1 event;")
    expect(page.locator("#title")).to_have_text("late-2")


def test_an_id_that_reorders_text_is_written_out(page: Page, server: Server) -> None:
    assert server.callback({"job_id": "1\u202ebog", "status": "failed"}).status == 200

    ask(page, server, "1\u202ebog")

    expect(page.locator("#title")).to_have_text("1\\u{202e}bog")


def test_the_reference_is_shown_under_its_policy(page: Page, server: Server) -> None:
    violations: list[str] = []
    page.on("console", lambda message: violations.append(message.text))

    page.goto(f"{server.url}/api/docs")

    expect(page.locator(".opblock").first).to_be_visible()
    page.locator(".opblock").first.click()
    expect(page.locator(".opblock-body").first).to_be_visible()
    assert [text for text in violations if "Content Security Policy" in text] == []


def test_the_page_itself_holds_nothing_and_lets_nothing_foreign_run(server: Server) -> None:
    answer = server.request("GET", f"/audit/{quote('job/1')}")

    assert answer.status == 200
    assert "job/1" not in answer.body
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
