"""The pages on paper, which somebody files with an incident."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.support.people.browsing import Visitor

CONTROLS = "button, .button, input:not([type=hidden]), select, textarea, nav, form, .command"
WHITE = "rgba(0, 0, 0, 0)"


def printed(visitor: Visitor, path: str) -> Page:
    """Open a page as a browser with a dark theme prints it."""
    page = visitor.open(path)
    page.emulate_media(media="print", color_scheme="dark")
    return page


@pytest.mark.parametrize("path", ["/jobs", "/jobs/failed-1", "/jobs/busy-1", "/agents/agent-2"])
def test_paper_has_nothing_to_click_on(visitor: Visitor, path: str) -> None:
    page = printed(visitor, path)

    expect(page.locator("h1")).to_be_visible()
    assert page.locator(CONTROLS).count()
    expect(page.locator(CONTROLS).filter(visible=True)).to_have_count(0)
    expect(page.get_by_role("heading", name="What you can do")).to_have_count(0)


def test_an_error_is_printed_whole(visitor: Visitor) -> None:
    box = printed(visitor, "/jobs/failed-1").locator(".error pre")

    hidden = box.evaluate("box => box.scrollHeight - box.clientHeight")

    assert hidden == 0
    expect(box).to_have_css("overflow-y", "visible")


def test_paper_is_white_for_who_reads_on_a_dark_screen(visitor: Visitor) -> None:
    page = printed(visitor, "/jobs/failed-1")

    expect(page.locator("body")).to_have_css("background-color", WHITE)
    expect(page.locator("body")).to_have_css("color", "rgb(28, 33, 38)")
