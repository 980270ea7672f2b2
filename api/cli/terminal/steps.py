"""UI steps in a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rich.text import Text

from domain.unseen import visible
from domain.workflows.definition import UiStatus
from projections.views.ui_steps import ShownStep

MARKS: Final[dict[UiStatus, str]] = {
    "completed": "✓",
    "active": "●",
    "pending": "○",
    "error": "✗",
}
COLOURS: Final[dict[UiStatus, str]] = {
    "completed": "green",
    "active": "cyan",
    "pending": "dim",
    "error": "bold red",
}


def steps_text(steps: Iterable[ShownStep], between: str = "  ") -> Text:
    """Return the steps as text, each with the mark and the colour of its status."""
    return Text(between).join(
        Text(f"{MARKS[step.status]} {visible(step.label)}", COLOURS[step.status]) for step in steps
    )
