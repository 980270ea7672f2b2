"""Elements of HTML and SVG."""

from __future__ import annotations

from markupsafe import Markup

from api.elements import element, percent, quoted, said


def test_texts_and_attributes_are_escaped_and_markup_is_not() -> None:
    inner = element("b", "<&>")
    made = element(
        "a", inner, ' "it\'s"', href='?a=1&b="', class_="x", aria_label=None, stroke_width=1.50
    )

    assert isinstance(made, Markup)
    assert made == (
        '<a href="?a=1&amp;b=&#34;" class="x" stroke-width="1.5">'
        "<b>&lt;&amp;&gt;</b> &#34;it&#39;s&#34;</a>"
    )


def test_a_place_has_three_decimals() -> None:
    assert percent(100 / 3) == "33.333%"


def test_what_somebody_said_is_visible_short_and_in_its_own_order() -> None:
    assert said("a\u202eb\n", 10) == r"a\u202eb\n"
    assert said("abcdef", 4) == "abc…"
    assert quoted("<مرحبا>", 10) == "<bdi>&lt;مرحبا&gt;</bdi>"
