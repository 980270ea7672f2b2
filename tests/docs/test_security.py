"""The page about attackers: each of its lines is held by tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
HEAD = "| attacker | what he can do or not | test that holds it |\n| --- | --- | --- |\n"
TABLE = PAGE.split(HEAD)[1].split("\n\n")[0]
LINES = [line.strip("| ").split(" | ") for line in TABLE.splitlines()]
ATTACKERS = (
    "stranger",
    "observer",
    "job's key",
    "user's token",
    "link",
    "shared secret",
    "database",
    "disk",
)
DEFINED = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^\s*(?:async )?def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
}


@pytest.mark.parametrize("line", LINES, ids=[f"{line[0]}: {line[1][:50]}" for line in LINES])
def test_each_line_names_an_attacker_and_tests_that_are_there(line: list[str]) -> None:
    attacker, _, tests = line

    assert attacker in ATTACKERS
    named = re.findall(r"`(test_\w+)`", tests)
    assert named, "a line names the test that holds it"
    assert set(named) <= DEFINED


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_every_attacker_has_lines_and_is_introduced(attacker: str) -> None:
    assert attacker in {line[0] for line in LINES}
    assert f"*{attacker.capitalize()}*" in PAGE
