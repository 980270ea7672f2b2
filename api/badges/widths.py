"""How wide a text is, so that a badge has the width of its words.

The widths are those of DejaVu Sans and, nearly, of Verdana, which browsers have. The image tells
the browser how long the text shall be, so another font fills the same width.
"""

from __future__ import annotations

from typing import Final
from unicodedata import combining, east_asian_width

FROM_SPACE: Final = (
    318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337,
    636, 636, 636, 636, 636, 636, 636, 636, 636, 636, 337, 337, 838, 838, 838, 531,
    1000, 684, 686, 698, 770, 632, 575, 775, 752, 295, 295, 656, 557, 863, 748, 787,
    603, 787, 695, 635, 611, 732, 684, 989, 685, 611, 685, 390, 337, 390, 838, 500,
    500, 613, 635, 550, 635, 615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612,
    635, 635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636, 337, 636, 838,
)  # fmt: skip
"""The widths of the printable ASCII characters, in thousandths of the font's size."""
OTHER: Final = 650
WIDE: Final = 1000
"""Of letters of East Asia, and of emoji."""


def width_of(text: str, size: float) -> float:
    """Return the width of a text in a font of this size, in the size's unit."""
    return sum(map(_thousandths, text)) * size / 1000


def _thousandths(character: str) -> int:
    place = ord(character) - ord(" ")
    if 0 <= place < len(FROM_SPACE):
        return FROM_SPACE[place]
    if combining(character):
        return 0
    return WIDE if east_asian_width(character) in "WF" else OTHER
