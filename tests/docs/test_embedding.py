"""The page for product developers shows the examples that the browser tests run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = sorted((DOCS / "examples").iterdir())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_the_page_shows_each_example_as_it_is(example: Path) -> None:
    page = (DOCS / "embedding.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```[a-z]+\n(.*?)^```", page, re.DOTALL | re.MULTILINE)

    assert example.read_text(encoding="utf-8") in blocks
    assert f"](examples/{example.name})" in page
