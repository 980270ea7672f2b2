"""The icon of a page."""

from __future__ import annotations

from types import SimpleNamespace
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.badges.badge import COLORS, TONES
from api.badges.icon import AHEAD, GLYPHS, MOST_PARTS, icon, icon_of

SVG = "{http://www.w3.org/2000/svg}"
PREFIX = "data:image/svg+xml,"


def read(*shown: object) -> ElementTree.Element:
    url = icon(*shown)  # type: ignore[arg-type]
    assert url.startswith(PREFIX)
    assert not set(url.removeprefix(PREFIX)) & set(" <>\"'#")
    return ElementTree.fromstring(unquote(url.removeprefix(PREFIX)))  # noqa: S314 (we drew it)


def ring(root: ElementTree.Element) -> list[str]:
    return [part.attrib["stroke"] for part in root.iter(f"{SVG}path")][:-1]


@pytest.mark.parametrize("state", TONES)
def test_each_state_has_a_colour_and_a_shape(state: str) -> None:
    root = read(state)

    [disc] = root.iter(f"{SVG}circle")
    [shape] = root.iter(f"{SVG}path")
    assert (disc.attrib["fill"], shape.attrib["d"]) == (COLORS[TONES[state]], GLYPHS[state])


def test_states_of_one_colour_differ_by_shape() -> None:
    looks = [(TONES[state], icon(state)) for state in TONES]

    assert len({look for _, look in looks}) == len(looks)


def test_the_ring_has_a_part_for_each_step_and_the_completed_ones_have_the_colour() -> None:
    busy = COLORS["busy"]

    assert ring(read("provisioning", 1, 5)) == [AHEAD] * 5
    assert ring(read("provisioning", 4, 5)) == [busy] * 3 + [AHEAD] * 2
    assert ring(read("provisioning", 12, 40)) == [busy, AHEAD]


def test_a_job_that_is_late_has_the_mark_of_that() -> None:
    root = read("provisioning", 2, 5, "late")

    assert next(root.iter(f"{SVG}circle")).attrib["fill"] == COLORS["warn"]
    assert list(root.iter(f"{SVG}path"))[-1].attrib["d"] == GLYPHS["late"]


def test_the_icon_of_a_job_shows_its_state_its_step_and_its_health() -> None:
    steps = [SimpleNamespace(status=status) for status in ("completed", "active", "pending")]
    job = {"status": "provisioning", "outcome": None, "steps": steps, "health": {"state": "ok"}}

    assert icon_of(job) == icon("provisioning", 2, 3)
    assert icon_of({**job, "health": {"state": "late"}}) == icon("provisioning", 2, 3, "late")
    assert icon_of({**job, "health": None}) == icon("provisioning", 2, 3)
    assert icon_of({**job, "status": "failed", "outcome": "timed_out"}) == icon("timed_out")


@given(st.text(), st.integers(-5, 500), st.integers(0, 400))
def test_any_state_gives_an_icon(state: str, step: int, of: int) -> None:
    assert len(ring(read(state, step, of))) <= MOST_PARTS
    assert len(ring(read("provisioning", step, of))) <= MOST_PARTS
