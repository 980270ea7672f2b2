"""The page of the senders: its examples, by the section and the language that they are in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3]
PAGE: Final = (ROOT / "docs" / "senders.md").read_text(encoding="utf-8")
REPORTER: Final = ROOT / "clients" / "reporter" / "milepost_report.py"


def examples(section: str, language: str) -> list[str]:
    """Return the examples of a section in a language."""
    [text] = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def example(section: str, language: str) -> str:
    """Return the only example of a section in a language."""
    [found] = examples(section, language)
    return found
