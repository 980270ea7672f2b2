"""A badge as SVG. It needs no style sheet, and has the same colours on light and dark pages."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

from api.badges.badge import COLORS, Badge
from api.badges.widths import width_of
from api.elements import element, said

HEIGHT: Final = 20
SIZE: Final = 11
SIDE: Final = 7
"""Free room at both sides of words, in pixels."""
FONT: Final = "Verdana, DejaVu Sans, Geneva, sans-serif"
LABEL: Final = "#3d444d"
MOST_LABEL: Final = 60
MOST_MESSAGE: Final = 80


def svg(badge: Badge) -> str:
    """Return the image."""
    label, message = said(badge.label, MOST_LABEL), said(badge.message, MOST_MESSAGE)
    left = round(width_of(label, SIZE)) + 2 * SIDE if label else 0
    right = round(width_of(message, SIZE)) + 2 * SIDE
    both = f"{label}: {message}" if label else message
    shape = element("rect", width=left + right, height=HEIGHT, rx=4, fill="#fff")
    parts = [
        element("rect", width=left, height=HEIGHT, fill=LABEL),
        element("rect", x=left, width=right, height=HEIGHT, fill=COLORS[badge.tone]),
        *_progress(badge, left, right),
    ]
    words = [_words(label, 0, left)] if label else []
    return str(
        element(
            "svg",
            element("title", both),
            element("clipPath", shape, id="shape"),
            element("g", *parts, clip_path="url(#shape)"),
            element(
                "g",
                *words,
                _words(message, left, right),
                fill="#fff",
                text_anchor="middle",
                font_family=FONT,
                font_size=SIZE,
            ),
            xmlns="http://www.w3.org/2000/svg",
            width=left + right,
            height=HEIGHT,
            role="img",
            aria_label=both,
        )
    )


def _words(text: str, left: int, width: int) -> Markup:
    return element("text", text, x=left + width / 2, y=13.5, textLength=width - 2 * SIDE)


def _progress(badge: Badge, left: int, width: int) -> list[Markup]:
    """Return a line near the foot: how many UI steps are completed.

    It is not at the foot itself: white, it would look like a notch on a white page.
    """
    if not badge.of:
        return []
    done = min(badge.step - 1, badge.of) / badge.of * width
    return [
        element("rect", x=left, y=16.8, width=width, height=1.6, fill="#000", fill_opacity=0.3),
        element("rect", x=left, y=16.8, width=round(done, 1), height=1.6, fill="#fff"),
    ]
