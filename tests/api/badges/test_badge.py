"""What a badge says, and how wide it is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.badges.badge import COLORS, TONES, Badge, for_shields, of_job, unknown
from api.badges.svg import HEIGHT, MOST_LABEL, MOST_MESSAGE, svg
from api.badges.widths import width_of
from domain.unseen import UNSEEN

SVG = "{http://www.w3.org/2000/svg}"
ANY_TEXT = st.text(max_size=120)


def job(status: str, outcome: str | None = None, health: str = "ok", at: int = 0) -> dict[str, Any]:
    labels = ("Queued", "Creating Server", "Running")
    steps = [
        SimpleNamespace(label=label, status="active" if number == at else "pending")
        for number, label in enumerate(labels, 1)
    ]
    return {"status": status, "outcome": outcome, "steps": steps, "health": {"state": health}}


def read(badge: Badge) -> ElementTree.Element:
    return ElementTree.fromstring(svg(badge))  # noqa: S314 (we drew it)


def words(badge: Badge) -> list[str]:
    return ["".join(each.itertext()) for each in read(badge).iter(f"{SVG}text")]


@pytest.mark.parametrize(
    ("shown", "message", "tone"),
    [
        (job("pending"), "queued", "calm"),
        (job("provisioning", at=2), "Creating Server 2/3", "busy"),
        (job("provisioning"), "provisioning", "busy"),
        (job("provisioning", health="late", at=2), "Creating Server 2/3, late", "warn"),
        (job("pending", health="unresponsive"), "queued, unresponsive", "warn"),
        (job("running", "running"), "running", "good"),
        (job("stopping", "running"), "stopping", "calm"),
        (job("stopped", "stopped"), "stopped", "calm"),
        (job("failed", "failed", at=2), "failed", "bad"),
        (job("failed", "timed_out"), "timed out", "bad"),
        (job("failed", "cancelled"), "cancelled", "calm"),
    ],
)
def test_each_state_has_a_message_and_a_tone(
    shown: dict[str, Any], message: str, tone: str
) -> None:
    badge = of_job(shown, "web")

    assert (badge.label, badge.message, badge.tone) == ("web", message, tone)


def test_the_image_says_in_words_what_it_shows() -> None:
    badge = Badge("web", "failed", "bad")
    root = read(badge)

    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == root.findtext(f"{SVG}title") == "web: failed"
    assert words(badge) == ["web", "failed"]
    assert COLORS["bad"] in svg(badge)


def test_without_a_label_there_is_no_left_part() -> None:
    root = read(Badge("", "running", "good"))

    assert words(Badge("", "running", "good")) == ["running"]
    assert root.attrib["aria-label"] == "running"
    assert int(root.attrib["width"]) == round(width_of("running", 11)) + 14


def test_the_line_at_the_foot_is_as_long_as_the_completed_part() -> None:
    rects = list(read(Badge("", "Creating 3/5", "busy", 3, 5)).iter(f"{SVG}rect"))
    whole, done = (float(each.attrib["width"]) for each in rects[-2:])

    assert done == pytest.approx(whole * 2 / 5, abs=0.1)


def test_white_words_are_legible_on_every_colour() -> None:
    """WCAG 2.2, 1.4.3: a contrast of 4.5 at least."""

    def luminance(color: str) -> float:
        parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    assert all(1.05 / (luminance(color) + 0.05) >= 4.5 for color in COLORS.values())


def test_a_wide_letter_is_wider_than_a_narrow_one() -> None:
    assert width_of("i", 10) < width_of("é", 10) < width_of("W", 10) < width_of("東", 10)
    assert width_of("e\N{COMBINING ACUTE ACCENT}", 10) == width_of("e", 10)


def test_shields_gets_what_its_schema_wants() -> None:
    assert for_shields(Badge("web", "failed", "bad")) == {
        "schemaVersion": 1,
        "label": "web",
        "message": "failed",
        "color": "#b3261e",
        "isError": True,
        "cacheSeconds": 10,
    }
    assert for_shields(unknown("web"))["isError"]
    assert not for_shields(Badge("web", "running", "good"))["isError"]


@given(ANY_TEXT, ANY_TEXT.filter(bool), st.sampled_from(list(COLORS)), st.integers(0, 300))
def test_any_words_give_an_image_that_has_room_for_them(
    label: str, message: str, tone: Any, step: int
) -> None:
    badge = Badge(label, message, tone, step, 200 if step else 0)
    root = read(badge)

    assert root.attrib["height"] == str(HEIGHT)
    for each, most in zip(reversed(words(badge)), (MOST_MESSAGE, MOST_LABEL), strict=False):
        assert len(each) <= 10 * most
        assert not UNSEEN.search(each)
    for rect in root.iter(f"{SVG}rect"):
        left = float(rect.attrib.get("x", 0))
        assert 0 <= left <= left + float(rect.attrib["width"]) <= float(root.attrib["width"])


def test_every_state_of_a_job_has_a_tone() -> None:
    assert set(TONES.values()) <= set(COLORS)
