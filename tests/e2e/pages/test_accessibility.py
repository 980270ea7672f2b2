"""axe-core finds nothing serious on any page, in either colour scheme."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal
from urllib.parse import quote

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser

from tests.e2e.pages.stories import ODD_ID
from tests.support.people.browsing import Visitor
from tests.support.processes.server import Server

GRAVE = ("serious", "critical")
PAGES = (
    "/jobs",
    "/jobs?status=failed",
    "/jobs?q=nothing",
    "/jobs/job/1",
    "/jobs/job/1?version=4",
    "/jobs/failed-1",
    "/jobs/busy-1",
    "/jobs/waiting-1",
    "/jobs/refused-1",
    f"/jobs/{quote(ODD_ID)}",
    "/jobs/nothing",
    "/agents/agent-1",
    "/embed/jobs/busy-1",
    "/sign-in",
)
PHONE, WIDE = (360, 740), (1440, 900)
Scheme = Literal["light", "dark"]
COLOUR_RULES: Final = ("color-contrast", "link-in-text-block")
REPORT: Final = {"resultTypes": ["violations"]}
ONLY_COLOURS: Final = {**REPORT, "runOnly": {"type": "rule", "values": COLOUR_RULES}}
ALL_BUT_COLOURS: Final = {**REPORT, "rules": {rule: {"enabled": False} for rule in COLOUR_RULES}}
LOOKS: Final[Sequence[tuple[tuple[int, int], Scheme, Mapping[str, object]]]] = (
    (PHONE, "light", REPORT),
    # The dark scheme only gives the colours other values: what other rules look at is the same.
    (PHONE, "dark", ONLY_COLOURS),
    # Colours do not depend on the size, and take three quarters of the time of all rules.
    (WIDE, "light", ALL_BUT_COLOURS),
)
"""At each page, the size of the window, the colour scheme, and which rules of axe-core run."""
WIDE_COLOURS: Final = "/jobs"
"""The page with all that a phone does not show."""
OPEN_DETAILS: Final = "for (const each of document.querySelectorAll('details')) each.open = true"
GRAVE_VIOLATIONS: Final = """([options, impacts]) => axe.run(options).then(
  ({ violations }) => violations.filter(({ impact }) => impacts.includes(impact)))"""


def looks(path: str) -> Iterator[tuple[tuple[int, int], Scheme, Mapping[str, object]]]:
    """Yield the looks at a page."""
    yield from LOOKS
    if path == WIDE_COLOURS:
        yield WIDE, "light", ONLY_COLOURS
        yield WIDE, "dark", ONLY_COLOURS


def test_nothing_serious_is_wrong_on_any_page(browser: Browser, server: Server) -> None:
    visitor = Visitor(browser, server)
    page, found = visitor.context.new_page(), list[str]()
    for path in PAGES:
        page.goto(path)
        page.evaluate(OPEN_DETAILS)
        # Once a page: it takes as long as a look at a small page.
        page.evaluate(AXE_SCRIPT)
        for (width, height), scheme, options in looks(path):
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=scheme)
            for violation in page.evaluate(GRAVE_VIOLATIONS, [options, GRAVE]):
                where = [node["html"][:200] for node in violation["nodes"][:3]]
                found.append(f"{path} {scheme} {width}: {violation['id']} {where}")
    visitor.close()
    assert found == []
