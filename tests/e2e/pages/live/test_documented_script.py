"""The JavaScript of docs/live.md, in a browser and over a restart of the server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.support.people.browsing import Visitor
from tests.support.processes.server import TOKEN, Server

PAGE = Path(__file__).parents[4] / "docs" / "live.md"
[WATCH] = [
    code
    for code in re.findall(r"```js\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    if "function watch(" in code
]
START = """([url, token]) => {
  window.shown = [];
  watch(url, token, (job) => shown.push(job)).then(
    () => { window.result = "over"; },
    (error) => { window.result = String(error); });
}"""


def watching(stranger: Visitor, path: str, token: str = TOKEN) -> Page:
    """Open a page of the server that has no script, and watch a stream there."""
    page = stranger.open("/livez")
    page.add_script_tag(content=WATCH)
    page.evaluate(START, [path, token])
    return page


def shown(page: Page, count: int) -> list[Any]:
    """Return what was shown, once it is so much."""
    page.wait_for_function(f"shown.length >= {count}")
    return page.evaluate("shown")  # type: ignore[no-any-return]


def test_the_documented_script_shows_each_event_once_over_a_restart(
    stranger: Visitor, server: Server
) -> None:
    job = {"job_id": "documented"}
    server.callback({**job, "status": "provisioning"})
    page = watching(stranger, "/api/jobs/documented/stream")
    assert [each["version"] for each in shown(page, 1)] == [1]
    server.callback({**job, "status": "provisioning", "step": "vm_created"})
    assert [each["current_step"] for each in shown(page, 2)] == [None, "vm_created"]

    server.kill()
    server.start()
    server.callback({**job, "status": "provisioning", "step": "ansible_started"})
    server.callback({**job, "status": "failed", "error": "boom\n\nid: 1\n\n"})

    page.wait_for_function("window.result")
    assert page.evaluate("result") == "over"
    found = shown(page, 4)
    assert [each["version"] for each in found] == [1, 2, 3, 4]
    assert found[-1]["error"] == "boom\n\nid: 1\n\n"


def test_the_documented_script_ends_with_an_error_if_it_may_not_watch(stranger: Visitor) -> None:
    page = watching(stranger, "/api/stream", token="not-the-token")  # noqa: S106

    page.wait_for_function("window.result")

    assert page.evaluate("result") == "Error: 401"
