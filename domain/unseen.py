"""Characters that nobody sees, but that change what is seen beside them.

A terminal obeys control characters. Bidirectional controls show a line in another order than it was
written in. Characters without width hide between others, and U+2028 and U+2029 end a line for some
readers only.
"""

from __future__ import annotations

import re
from typing import Final

UNSEEN: Final = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # C0, DEL and C1
    "\u00ad\u061c\u070f\u180e"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb"
    "\ufffe\uffff"  # no characters at all, and forbidden in XML
    "\ud800-\udfff"  # halves of a pair, which Python has for bytes that are not UTF-8
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f"
    "]"
)
LINES: Final = re.compile(f"(?!\n){UNSEEN.pattern}")


def visible(text: str) -> str:
    r"""Return the text on one line; an unseen character is written as `\n`, `\x1b` or `\u202e`."""
    return text if text.isascii() and text.isprintable() else UNSEEN.sub(_written, text)


def visible_lines(text: str) -> str:
    """Return the text as `visible` does, but leave its line breaks."""
    return LINES.sub(_written, text)


def escaped_json(document: str) -> str:
    r"""Return the same compact JSON, with each unseen character as `\u202e`.

    JSON has such characters in its strings only, so a reader of both documents reads the same.
    """
    return UNSEEN.sub(_in_json, document)


def _written(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def escaped(text: str) -> str:
    """Return each character of the text as JSON escapes it."""
    units = memoryview(text.encode("utf-16-be", "surrogatepass"))
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def is_utf_8(text: str) -> bool:
    """Tell whether text that came as bytes was UTF-8: Python keeps other bytes as surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _in_json(found: re.Match[str]) -> str:
    return escaped(found[0])
