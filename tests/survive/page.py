"""The configuration that docs/failover.md shows: the tests use it as it stands there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import psycopg

PAGE = Path(__file__).parents[2] / "docs" / "failover.md"


def block(first_line: str) -> str:
    """Return the block of code that begins with this line."""
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```[a-z]+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    found: str
    [found] = [each for each in blocks if each.partition("\n")[0] == first_line]
    return found


def filled(first_line: str, ours: Mapping[str, str]) -> str:
    """Return a block with a test's own addresses and folders in place of those of the page."""
    return replaced(block(first_line), ours)


def replaced(text: str, ours: Mapping[str, str]) -> str:
    """Replace what the page shows by what is so here; each must be in the text."""
    for shown, own in ours.items():
        assert shown in text, f"docs/failover.md shows no {shown!r} in:\n{text}"
        text = text.replace(shown, own)
    return text


def settings(first_line: str, ours: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a block of `NAME=value` lines."""
    lines = filled(first_line, ours).splitlines()
    pairs = (line.partition("=") for line in lines if line[:1].isalpha())
    return {name: value for name, _, value in pairs}


def make_database(operator: psycopg.Connection[tuple[object, ...]]) -> None:
    """Make the role and the database of Milepost, as the page says."""
    _, _, statements = block("-- once, on the primary").partition("\n")
    for statement in statements.split(";"):
        # CREATE DATABASE must be alone.
        operator.execute(statement.encode())
