"""The gist of an error: the line of a log that most likely says why."""

from __future__ import annotations

import re
from typing import Final

FEW_LINES: Final = 3
"""An error of at most so many lines is no log: all of it says why."""
TELLING: Final = re.compile(
    # Ansible ends with a table of numbers, such as failed=1.
    r"\b(?:fatal|failed(?!=)|failure|panic|denied|refused|timed out|E:)|error|exception",
    re.IGNORECASE,
)
MOST_READ: Final = 64 * 1024
"""How many characters are read: the last ones, for a log ends with what went wrong."""


def gist(error: str) -> str:
    """Return the last line that names a failure, else the last line; a short error as it is."""
    lines = [line.strip() for line in error[-MOST_READ:].splitlines() if line.strip()]
    if len(lines) <= FEW_LINES:
        return " ".join(lines)
    return next((line for line in reversed(lines) if TELLING.search(line)), lines[-1])
