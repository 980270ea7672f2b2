"""The gist of an error: the line of a log that most likely says why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

FEW_LINES: Final = 3
"""An error of at most so many lines is no log: all of it says why."""
TELLING: Final = re.compile(
    # Ansible ends with a table of numbers, such as failed=1.
    r"\b(?:fatal|failed(?!=)|failure|panic|denied|refused|timed out|E:)|error|exception",
    re.IGNORECASE,
)
COUNTS_NONE: Final = re.compile(
    r"(?<![\w.])0 (?:failed|failures?|errors?|exceptions?)\b"
    # A colon may also lead to the error: "Error: 0 bytes are left".
    r"|\b(?:failed|failures?|errors?|exceptions?)(?:=0(?!\w|\.\d)|: ?0(?=[,;)]|\.?$))",
    re.IGNORECASE,
)
"""How a summary counts failures that were none, such as in `0 failed, 3 ok`."""
MOST_READ: Final = 64 * 1024
"""How many characters are read: the last ones, for a log ends with what went wrong."""


def gist(error: str) -> str:
    """Return the last line that names a failure, else the last line; a short error as it is.

    A line that continues another one by its indentation comes with the lines before it, if the
    first of them names a failure, too.
    """
    lines = [line.rstrip() for line in error[-MOST_READ:].splitlines() if line.strip()]
    if len(lines) <= FEW_LINES:
        return _joined(lines)
    end = next((n for n in reversed(range(len(lines))) if _is_telling(lines[n])), None)
    if end is None:
        return lines[-1].strip()
    begin = next((n for n in reversed(range(end)) if lines[n][0] not in " \t"), end)
    is_continued = lines[end][0] in " \t" and _is_telling(lines[begin])
    return _joined(lines[begin if is_continued else end : end + 1])


def _is_telling(line: str) -> bool:
    if TELLING.search(line) is None:
        return False
    return TELLING.search(COUNTS_NONE.sub("", line)) is not None


def _joined(lines: Sequence[str]) -> str:
    return " ".join(line.strip() for line in lines)
