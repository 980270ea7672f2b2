"""The examples for product developers, in a real browser: pages of another origin than Milepost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.chromium import chromium
from tests.support.file_server import serving
from tests.support.server import TOKEN, Make, Server

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
AGENT = "agent/1"
STEPS = ("Queued", "Creating Server", "Installing Dependencies", "Configuring Agent", "Running")


class Product:
    """A product whose pages are of an origin of their own, and its Milepost."""

    def __init__(self, server: Server, origin: str, files: dict[str, bytes]) -> None:
        self.server, self.origin, self.files = server, origin, files

    def put(self, name: str, **constants: str) -> None:
        """Serve an example in which a developer has set these constants."""
        text = (EXAMPLES / name).read_text(encoding="utf-8")
        for constant, value in constants.items():
            text, found = re.subn(rf'\b{constant} = "[^"]*"', f'{constant} = "{value}"', text)
            assert found == 1, constant
        self.files[name] = text.encode()

    def report(self, **said: str) -> None:
        """Let the workflow of the agent's job say something."""
        assert self.server.callback({"job_id": "job-1", **said}).status == 200


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


@pytest.fixture
def product(make_server: Make) -> Iterator[Product]:
    """A product whose origin Milepost lets read, and an agent with a job that waits."""
    files: dict[str, bytes] = {}
    with serving(files) as origin:
        server = make_server()
        server.env["MILEPOST_CORS_ORIGINS"] = origin
        server.start()
        job = {"job_id": "job-1", "agent_id": AGENT, "user_id": "ada"}
        assert server.post("/api/jobs", job).status == 201
        yield Product(server, origin, files)


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


def test_a_page_says_why_it_is_refused(product: Product, page: Page) -> None:
    product.put("steps.html", SERVER=product.server.url, AGENT=AGENT, TOKEN=f"{TOKEN}-no-more")
    page.goto(f"{product.origin}/steps.html")

    expect(page.locator("#news")).to_contain_text("Milepost answers 401")


def test_the_plain_page_is_short() -> None:
    assert len((EXAMPLES / "steps.html").read_text(encoding="utf-8").splitlines()) <= 30
