"""The examples for product developers, in a real browser: pages of another origin than Milepost."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlencode
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from tests.support.processes import npm
from tests.support.processes.chromium import chromium
from tests.support.processes.file_server import serving
from tests.support.processes.server import TOKEN, Server

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
REACT = Path(__file__).with_name("react")
DEVELOPMENT = '--define:process.env.NODE_ENV="development"'
AGENT = "agent/1"
PATIENCE = 20_000
"""A health of the demo's definition changes after 4 s; a page looks again within 5 s."""
STEPS = ("Queued", "Creating Server", "Installing Dependencies", "Configuring Agent", "Running")


class Product:
    """A product whose pages are of an origin of their own, and its Milepost."""

    def __init__(self, server: Server, origin: str, files: dict[str, bytes]) -> None:
        self.server, self.origin, self.files = server, origin, files
        self.job = f"job-{uuid4().hex}"
        """The job of the agent that waits."""

    def register(self, job_id: str, agent: str, **said: str) -> None:
        """Register a job of the agent, who has a user of its own and one job at a time."""
        body = {"job_id": job_id, "agent_id": agent, "user_id": f"user-of-{agent}", **said}
        assert self.server.post("/api/jobs", body).status == 201

    def put(self, name: str, **constants: str) -> None:
        """Serve an example in which a developer has set these constants."""
        text = (EXAMPLES / name).read_text(encoding="utf-8")
        for constant, value in constants.items():
            text, found = re.subn(rf'\b{constant} = "[^"]*"', f'{constant} = "{value}"', text)
            assert found == 1, constant
        self.files[name] = text.encode()

    def report(self, **said: str) -> None:
        """Let the workflow of the agent's job say something."""
        assert self.server.callback({"job_id": self.job, **said}).status == 200


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser."""
    with chromium() as started:
        yield started


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A new tab, whose script raises no error."""
    context = browser.new_context()
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert errors == []


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A product whose origin Milepost lets read."""
    files: dict[str, bytes] = {}
    with serving(files) as origin:
        server = Server(tmp_path_factory.mktemp("server"))
        server.env["MILEPOST_CORS_ORIGINS"] = origin
        try:
            yield Product(server.start(), origin, files)
        finally:
            server.kill()


@pytest.fixture
def product(served: Product) -> Iterator[Product]:
    """A product without pages, and an agent with a job that waits."""
    served.files.clear()
    made = Product(served.server, served.origin, served.files)
    made.register(made.job, AGENT)
    yield made
    made.report(status="failed")  # the next test has a job of the same agent


def assert_steps(page: Page, *statuses: str) -> None:
    """Wait until the page shows the steps in these states."""
    wanted = [f"{label}: {status}" for label, status in zip(STEPS, statuses, strict=True)]
    expect(page.locator("#steps li")).to_have_text(wanted)


def test_a_plain_page_of_another_origin_shows_the_steps_as_they_happen(
    product: Product, page: Page
) -> None:
    product.put("steps.html", SERVER=product.server.url, AGENT=AGENT, TOKEN=TOKEN)
    page.goto(f"{product.origin}/steps.html")

    assert_steps(page, "active", *["pending"] * 4)
    product.report(status="provisioning", step="vm_created")
    assert_steps(page, "completed", "completed", "active", "pending", "pending")
    product.server.kill()
    expect(page.locator("#news")).to_contain_text("Trying again")
    product.server.start()
    product.report(status="running")
    assert_steps(page, *["completed"] * 5)
    expect(page.locator("#news")).to_have_text("")


def test_a_page_of_an_origin_that_is_not_named_sees_nothing(product: Product, page: Page) -> None:
    product.put("steps.html", SERVER=product.server.url, AGENT=AGENT, TOKEN=TOKEN)
    with serving(product.files) as other:
        page.goto(f"{other}/steps.html")

        expect(page.locator("#news")).to_contain_text("Trying again")
        expect(page.locator("#steps li")).to_have_count(0)


def test_a_page_says_that_there_is_no_job_yet_and_shows_the_first_one(
    product: Product, page: Page
) -> None:
    product.put("steps.html", SERVER=product.server.url, AGENT="agent-2", TOKEN=TOKEN)
    page.goto(f"{product.origin}/steps.html")
    expect(page.locator("#news")).to_have_text("There is no job yet. Trying again…")

    product.register("first-of-agent-2", "agent-2")

    assert_steps(page, "active", *["pending"] * 4)
    expect(page.locator("#news")).to_have_text("")


@pytest.mark.parametrize(
    ("status", "words"), [("failed", "This failed."), ("cancelled", "This was cancelled.")]
)
def test_a_page_says_how_a_job_went_wrong(
    product: Product, page: Page, status: str, words: str
) -> None:
    product.put("steps.html", SERVER=product.server.url, AGENT=AGENT, TOKEN=TOKEN)
    page.goto(f"{product.origin}/steps.html")
    product.report(status="provisioning", step="vm_created")
    assert_steps(page, "completed", "completed", "active", "pending", "pending")

    product.report(status=status)

    expect(page.locator("#news")).to_have_text(words)


def test_a_page_says_why_it_is_refused(product: Product, page: Page) -> None:
    product.put("steps.html", SERVER=product.server.url, AGENT=AGENT, TOKEN=f"{TOKEN}-no-more")
    page.goto(f"{product.origin}/steps.html")

    expect(page.locator("#news")).to_have_text("Milepost answers 401.")


def test_a_page_says_of_a_silent_job_that_it_takes_long_without_an_event(
    product: Product, page: Page
) -> None:
    """The demo's definition allows 6 s of silence."""
    dying(product, "agent-3")
    product.put("steps.html", SERVER=product.server.url, AGENT="agent-3", TOKEN=TOKEN)
    page.goto(f"{product.origin}/steps.html")

    expect(page.locator("#news")).to_have_text("This takes longer than usual.", timeout=PATIENCE)


def test_a_page_whose_clock_is_ahead_does_not_ask_at_once_each_time(
    product: Product, page: Page
) -> None:
    dying(product, "agent-5")
    asked: list[str] = []
    page.on("request", lambda each: asked.append(each.url))
    page.clock.install(time=datetime.now(UTC) + timedelta(hours=1))
    product.put("steps.html", SERVER=product.server.url, AGENT="agent-5", TOKEN=TOKEN)
    page.goto(f"{product.origin}/steps.html")
    expect(page.locator("#steps li")).to_have_count(len(STEPS))

    for _ in range(10):
        page.clock.run_for(1_000)

    assert sum(url.endswith("/stream") for url in asked) == 1


def test_a_page_waits_as_long_as_a_busy_server_says(product: Product, page: Page) -> None:
    product.put("steps.html", SERVER=product.server.url, AGENT=AGENT, TOKEN=TOKEN)
    assert_waits_for_a_busy_server(page, f"{product.origin}/steps.html")


def dying(product: Product, agent: str) -> None:
    """Let a job begin that says nothing more."""
    product.register(f"job-of-{agent}", agent, workflow="milepost-demo")
    said = {"job_id": f"job-of-{agent}", "type": "heartbeat"}
    assert product.server.callback(said).status == 200


def assert_waits_for_a_busy_server(page: Page, address: str) -> None:
    """Open a page whose stream is refused for 30 s, and let the time go on."""
    asked: list[str] = []
    is_busy = True

    # All of the first streams: React mounts twice while one develops, and drops the first.
    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        if is_busy:
            allowed = {"Access-Control-Allow-Origin": "*"}
            exposed = {"Access-Control-Expose-Headers": "Retry-After"}
            route.fulfill(status=503, headers={"Retry-After": "30", **allowed, **exposed})
        else:
            route.continue_()

    page.clock.install()
    page.route("**/stream", refuse)
    page.goto(address)
    expect(page.locator("#news")).to_contain_text("Milepost answers 503")
    is_busy = False
    refused = len(asked)
    page.clock.run_for(25_000)
    assert len(asked) == refused

    page.clock.run_for(10_000)

    assert_steps(page, "active", *["pending"] * 4)
    expect(page.locator("#news")).to_have_text("")


# The hook


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A page's script that uses the hook, with React, in one file."""
    folder = npm.project(REACT, tmp_path_factory.mktemp("react") / "page")
    shutil.copy(EXAMPLES / "use-instance.js", folder)
    esbuild = ("node", "node_modules/esbuild-wasm/bin/esbuild", "page.js", "--bundle")
    npm.run(folder, *esbuild, "--outfile=bundle.js", DEVELOPMENT)
    return (folder / "bundle.js").read_bytes()


@pytest.fixture
def hooked(product: Product, bundle: bytes) -> Product:
    """A product that uses the hook, with a second agent whose machine has failed."""
    product.files["react.html"] = b"<!doctype html><body><script src=react.js defer></script>"
    product.files["react.js"] = bundle
    product.register(f"other-{product.job}", "agent/2")
    failed = {"job_id": f"other-{product.job}", "status": "failed", "error": "no quota"}
    assert product.server.callback(failed).status == 200
    return product


def open_hooked(page: Page, product: Product, token: str = TOKEN) -> None:
    query = urlencode({"server": product.server.url, "token": token})
    page.goto(f"{product.origin}/react.html?{query}")


def test_the_hook_shows_the_steps_and_goes_on_after_a_restart(hooked: Product, page: Page) -> None:
    open_hooked(page, hooked)

    assert_steps(page, "active", *["pending"] * 4)
    hooked.report(status="provisioning", step="vm_created")
    assert_steps(page, "completed", "completed", "active", "pending", "pending")
    hooked.server.kill()
    expect(page.locator("#news")).to_contain_text("trying again")
    assert_steps(page, "completed", "completed", "active", "pending", "pending")
    hooked.server.start()
    expect(page.locator("#news")).to_have_text("")
    hooked.report(status="running")
    assert_steps(page, *["completed"] * 5)


def test_the_hook_follows_the_agent_that_it_is_given_and_ends_with_its_component(
    hooked: Product, page: Page
) -> None:
    def ends(agent: str) -> Callable[[Request], bool]:
        url = f"{hooked.server.url}/api/agents/{quote(agent, '')}/stream"
        return lambda request: request.url == url

    open_hooked(page, hooked)
    expect(page.locator("h1")).to_have_text("pending")

    with page.expect_event("requestfailed", ends("agent/1")):
        page.get_by_role("button", name="agent/2").click()
    expect(page.locator("h1")).to_have_text("failed")
    with page.expect_event("requestfailed", ends("agent/2")):
        page.get_by_role("button", name="none").click()
    expect(page.locator("h1")).to_have_count(0)


def test_the_hook_says_why_it_is_refused(hooked: Product, page: Page) -> None:
    open_hooked(page, hooked, f"{TOKEN}-no-more")

    expect(page.locator("#news")).to_have_text("Milepost answers 401")


def test_the_hook_waits_for_a_busy_server_and_for_the_first_job(
    hooked: Product, page: Page
) -> None:
    query = urlencode({"server": hooked.server.url, "token": TOKEN, "agent": "agent-4"})
    page.goto(f"{hooked.origin}/react.html?{query}")
    expect(page.locator("#news")).to_have_text("There is no job yet")

    dying(hooked, "agent-4")

    expect(page.locator("h1")).to_have_text("provisioning", timeout=PATIENCE)
    expect(page.locator("#news")).to_have_text("")
    expect(page.locator("#health")).to_have_text("unresponsive", timeout=PATIENCE)
    assert_waits_for_a_busy_server(
        page,
        f"{hooked.origin}/react.html?{urlencode({'server': hooked.server.url, 'token': TOKEN})}",
    )


# What the files are


def test_the_packages_are_pinned() -> None:
    npm.assert_pinned(REACT)


def test_the_plain_page_is_short() -> None:
    assert len((EXAMPLES / "steps.html").read_text(encoding="utf-8").splitlines()) <= 45
