"""axe-core finds nothing serious on any page, in either colour scheme."""

from __future__ import annotations

from collections.abc import Mapping
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
SCHEMES: Final[Mapping[Literal["light", "dark"], Mapping[str, object]]] = {
    "light": {"resultTypes": ["violations"]},
    # The dark scheme only gives the colours other values: what other rules look at is the same.
    "dark": {
        "resultTypes": ["violations"],
        "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]},
    },
}
"""Each colour scheme, and which rules of axe-core run in it."""
WIDE_IN_THE_DARK: Final = "/jobs"
"""The page with all that a phone does not show; colours do not depend on the size."""
OPEN_DETAILS: Final = "for (const each of document.querySelectorAll('details')) each.open = true"
GRAVE_VIOLATIONS: Final = """([options, impacts]) => axe.run(options).then(
  ({ violations }) => violations.filter(({ impact }) => impacts.includes(impact)))"""


def test_nothing_serious_is_wrong_on_any_page(browser: Browser, server: Server) -> None:
    visitor = Visitor(browser, server)
    page, found = visitor.context.new_page(), list[str]()
    for path in PAGES:
        page.goto(path)
        page.evaluate(OPEN_DETAILS)
        # Once a page: it takes as long as a look at a small page.
        page.evaluate(AXE_SCRIPT)
        for width, height in (PHONE, WIDE):
            page.set_viewport_size({"width": width, "height": height})
            for scheme, options in SCHEMES.items():
                if (scheme, width) == ("dark", WIDE[0]) and path != WIDE_IN_THE_DARK:
                    continue
                page.emulate_media(color_scheme=scheme)
                for violation in page.evaluate(GRAVE_VIOLATIONS, [options, GRAVE]):
                    where = [node["html"][:200] for node in violation["nodes"][:3]]
                    found.append(f"{path} {scheme} {width}: {violation['id']} {where}")
    visitor.close()
    assert found == []
