"""The blocks of code that a page of the documentation shows: tests use them as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).parents[3] / "docs"


def block(page: str, first_line: str) -> str:
    """Return the block of a page that begins with this line."""
    text = (DOCS / page).read_text(encoding="utf-8")
    blocks: list[str] = re.findall(r"^```[a-z]+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    [found] = [each for each in blocks if each.partition("\n")[0] == first_line]
    return found
