"""The icon of a page in its tab: the state by shape and colour, and the steps as a ring."""

from __future__ import annotations

from collections.abc import Mapping
from math import cos, pi, sin
from typing import Any, Final
from urllib.parse import quote

from markupsafe import Markup

from api.badges.badge import COLORS, TONES, Tone, place_of, state_of
from api.elements import element

MIDDLE: Final = 16
RING: Final = 13.0
"""The radius of the ring's middle."""
AHEAD: Final = "#9aa4ae"
"""The colour of steps that are not completed."""
GAP: Final = 0.2
"""Between two parts of the ring, in radians."""
MOST_PARTS: Final = 10
"""More steps than these are no longer told apart at 16 pixels: then the ring has two parts."""
GLYPHS: Final = {
    "pending": "M10 16h.1M16 16h.1M22 16h.1",
    "provisioning": "M13.5 11 L20.5 16 L13.5 21 Z",
    "running": "M9.5 16.5 L14 21 L22.5 11.5",
    "stopping": "M12 12h8v8h-8z",
    "stopped": "M12 12h8v8h-8z",
    "failed": "M11 11 L21 21 M21 11 L11 21",
    "timed_out": "M16 9 V16 L21 19.5",
    "cancelled": "M10 16 H22",
    "late": "M16 9 V17 M16 22.5h.1",
    "unresponsive": "M16 9 V17 M16 22.5h.1",
}
"""The shape in the middle, drawn with a thick line; states that share a tone have other shapes."""


def icon_of(job: Mapping[str, Any]) -> str:
    """Return the icon of a job, as `job_body` shows it; in the past, it has no health."""
    step, of = place_of(job)
    health = job["health"]["state"] if job["health"] else "ok"
    return icon(state_of(job), step, of, health)


def icon(state: str, step: int = 0, of: int = 0, health: str = "ok") -> str:
    """Return the icon as a `data:` URL.

    `state` is a status or an outcome. Of `of` UI steps, the job works on `step`, from 1; a job that
    is done or waits has a whole disc. One that is late or unresponsive has the mark of that.
    """
    tone: Tone = "warn" if health != "ok" else TONES.get(state, "calm")
    color = COLORS[tone]
    glyph = GLYPHS.get(state if health == "ok" else health, GLYPHS["pending"])
    if state == "provisioning" and of:
        # The ring needs the room around it, so the disc is smaller.
        body = element("circle", cx=MIDDLE, cy=MIDDLE, r=9.5, fill=color) + _ring(step, of, color)
        glyph_scale = "translate(5.6 5.6) scale(.65)"
    else:
        body, glyph_scale = element("circle", cx=MIDDLE, cy=MIDDLE, r=15, fill=color), None
    shape = element(
        "path",
        d=glyph,
        fill="#fff" if state in ("provisioning", "stopped") and health == "ok" else "none",
        stroke="#fff",
        stroke_width=3.6,
        stroke_linecap="round",
        stroke_linejoin="round",
        transform=glyph_scale,
    )
    image = element("svg", body, shape, xmlns="http://www.w3.org/2000/svg", viewBox="0 0 32 32")
    return f"data:image/svg+xml,{quote(str(image), safe='=:/()')}"


def _ring(step: int, of: int, color: str) -> Markup:
    done = max(0, min(step - 1, of))
    if of > MOST_PARTS:
        parts = [(0.0, done / of, True), (done / of, 1.0, False)]
    else:
        parts = [(part / of, (part + 1) / of, part < done) for part in range(of)]
    return Markup("").join(
        element(
            "path",
            d=_arc(since * 2 * pi, until * 2 * pi),
            fill="none",
            stroke=color if is_done else AHEAD,
            stroke_width=5,
        )
        for since, until, is_done in parts
        if until > since
    )


def _arc(since: float, until: float) -> str:
    since, until = since + GAP / 2, until - GAP / 2
    (x, y), (to_x, to_y) = _at(since), _at(until)
    is_long = int(until - since > pi)
    return f"M{x:.2f} {y:.2f} A{RING:g} {RING:g} 0 {is_long} 1 {to_x:.2f} {to_y:.2f}"


def _at(angle: float) -> tuple[float, float]:
    return MIDDLE + RING * sin(angle), MIDDLE - RING * cos(angle)
