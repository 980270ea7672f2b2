"""Elements of HTML and SVG, escaped. Colours come from classes: pages allow no style attributes."""

from __future__ import annotations

from markupsafe import Markup, escape

from domain.unseen import visible


def element(name: str, *inside: str | Markup, **attributes: object) -> Markup:
    """Return an element; what is inside is escaped unless it is markup.

    An attribute's name may end with an underscore, and has `-` for each underscore within it. A
    number is written as short as a drawing needs it. None leaves an attribute out.
    """
    # Plain strings of what is escaped already: markup would escape again with each step.
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    content = "".join(map(escape, inside))
    return Markup(f"<{name}{written}>{content}</{name}>")  # noqa: S704


def percent(place: float) -> str:
    """Return a place in percent, with three decimals."""
    return f"{place:.3f}%"


def said(text: str, most: int) -> str:
    """Return what a sender said: on one line, with every character visible, and not too long."""
    cut = text if len(text) <= most else f"{text[: most - 1]}…"
    return visible(cut)


def quoted(text: str, most: int) -> Markup:
    """Return what a sender said as a part of a line of ours, whose order it does not change."""
    return element("bdi", said(text, most))


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(escape(value))
