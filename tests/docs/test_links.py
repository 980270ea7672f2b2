"""The links of the pages: every file and every heading that they lead to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def prose(page: Path) -> str:
    """Return a page without its blocks of code and without code in a line."""
    blocks = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", blocks)


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def broken(page: Path) -> Iterator[str]:
    """Yield the page's links that lead to no file, or to no heading of a page."""
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    assert list(broken(page)) == []


def test_a_link_to_no_file_or_to_no_heading_is_broken(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# Some page\n\n[a](#some-page) [b](#other) [c](page.md#some-page) [d](none.md)\n"
        "[e](https://example.org/none) `[f](code.md)`\n"
    )

    assert list(broken(page)) == ["#other", "none.md"]


def test_the_index_leads_to_every_page() -> None:
    """The decisions have an index of their own, which test_decisions.py holds."""
    docs = ROOT / "docs"
    index = prose(docs / "index.md")
    pages = {page.relative_to(docs).as_posix() for page in docs.rglob("*.md")}
    decisions = {page for page in pages if re.match(r"decisions/[0-9]", page)}

    assert {page for page in pages - decisions if f"]({page})" not in index} == {"index.md"}
