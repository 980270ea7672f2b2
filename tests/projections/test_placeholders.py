"""Statements for SQLite have no numbered placeholders: Python 3.12.0 to 3.12.3 warn of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("floor", ["api", "domain", "projections"])
def test_no_placeholder_has_a_number(floor: str) -> None:
    numbered = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in (ROOT / floor).rglob("*.py")
        if "sqlite" in str(path.relative_to(ROOT))
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"\?\d", line)
    ]

    assert numbered == []
