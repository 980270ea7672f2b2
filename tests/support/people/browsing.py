"""Somebody who looks at pages with a browser."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any, Final

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    Response,
)

from tests.support.processes.server import PATIENCE_SECONDS, TOKEN, Server

POLICY: Final = """
addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
  console.error(`violates the policy: ${violatedDirective} ${blockedURI}`));
"""
NETWORK: Final = "Failed to load resource"
"""How Chromium begins to say on its console that a server did not answer, or answered an error."""


class Visitor:
    """Somebody with tabs, which share cookies, locks and channels; signed in if there is a token.

    They ask for less motion: a mark that turns takes a tenth of a core in each tab.
    `complaints` are errors of scripts, and violations of the policy, in any tab.
    """

    def __init__(
        self, browser: Browser, server: Server, token: str | None = TOKEN, **options: Any
    ) -> None:
        self.server = server
        self.complaints: list[str] = []
        self.streams: set[Request] = set()
        """The streams that are asked for, or open."""
        self.begun: set[Request] = set()
        """Those of them that the server has begun."""
        self.context: BrowserContext = browser.new_context(
            base_url=server.url, **{"reduced_motion": "reduce", **options}
        )
        self.context.add_init_script(POLICY)
        self.context.on("page", lambda page: page.on("close", self._closed))
        self.context.on("request", self._began)
        self.context.on("response", self._answered)
        self.context.on("requestfinished", self._ended)
        self.context.on("requestfailed", self._ended)
        self.context.on("console", self._said)
        self.context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        if token is not None:
            self.sign_in(token)

    def sign_in(self, token: str) -> None:
        """Sign in with a token."""
        answer = self.context.request.post(
            "/sign-in",
            form={"token": token},
            headers={"Origin": self.server.url},
            max_redirects=0,  # the page of all jobs, which nobody looks at
        )
        assert answer.status == 303, answer.text()

    def open(self, path: str) -> Page:
        """Open a page in a new tab."""
        page = self.context.new_page()
        page.goto(path)
        return page

    def close(self) -> None:
        """Close all tabs; fail if one had an error."""
        self.context.close()
        assert self.complaints == []

    def _began(self, request: Request) -> None:
        path = request.url.partition("?")[0]
        if "/api/stream" in path or "/embed/streams/" in path or path.endswith("/stream"):
            self.streams.add(request)

    def _answered(self, response: Response) -> None:
        if response.request in self.streams:
            self.begun.add(response.request)

    def _ended(self, request: Request) -> None:
        self.streams.discard(request)
        self.begun.discard(request)

    def _closed(self, page: Page) -> None:
        for request in [each for each in self.streams if each.frame.page is page]:
            self._ended(request)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(NETWORK):
            self.complaints.append(message.text)


def active_step(page: Page) -> Locator:
    """Return the label of the step that is active on a job's page."""
    return page.locator(".stepper li[data-state=active] .label")


def until(page: Page, condition: Callable[[], bool]) -> None:
    """Wait for something that the browser does; fail after 30 s."""
    deadline = monotonic() + PATIENCE_SECONDS
    while not condition():
        assert monotonic() < deadline
        page.wait_for_timeout(20)


def connected(visitor: Visitor) -> None:
    """Wait until the visitor's stream has begun."""
    until(visitor.context.pages[0], lambda: bool(visitor.begun))
