"""Chromium, as Debian and others install it, and somebody who looks at pages with it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    sync_playwright,
)

from tests.support.server import TOKEN, Server

QUIET: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
POLICY: Final = """
addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
  console.error(`violates the policy: ${violatedDirective} ${blockedURI}`));
"""
NETWORK: Final = "Failed to load resource"
"""How Chromium begins to say on its console that a server did not answer, or answered an error."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium. Without one, skip the test; but not in CI."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None and "CI" not in os.environ:
        pytest.skip("the pages are tested in chromium, which is not installed")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=QUIET)
        yield started
        started.close()


class Visitor:
    """Somebody with tabs, which share cookies, locks and channels; signed in if there is a token.

    `complaints` are errors of scripts, and violations of the policy, in any tab.
    """

    def __init__(
        self, browser: Browser, server: Server, token: str | None = TOKEN, **options: Any
    ) -> None:
        self.server = server
        self.complaints: list[str] = []
        self.streams: set[Request] = set()
        """The streams that are open."""
        self.context: BrowserContext = browser.new_context(base_url=server.url, **options)
        self.context.add_init_script(POLICY)
        self.context.on("request", self._began)
        self.context.on("requestfinished", self._ended)
        self.context.on("requestfailed", self._ended)
        self.context.on("console", self._said)
        self.context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        if token is not None:
            self.sign_in(token)

    def sign_in(self, token: str) -> None:
        """Sign in with a token."""
        self.context.set_extra_http_headers({"Authorization": f"Bearer {token}"})

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
        if "/api/stream" in request.url or request.url.partition("?")[0].endswith("/stream"):
            self.streams.add(request)

    def _ended(self, request: Request) -> None:
        self.streams.discard(request)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(NETWORK):
            self.complaints.append(message.text)
