"""What is seen of a text: each character that a terminal obeys, or that hides, is written out."""

from __future__ import annotations

import json
import unicodedata

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.unseen import UNSEEN, escaped_json, is_utf_8, visible, visible_lines

SEEN = {"Arabic": range(0x600, 0x900), "Kaithi": range(0x110BD, 0x110CE)}
"""Scripts with signs of numbers and verses, which Unicode calls format characters."""
HIEROGLYPHS = range(0x13430, 0x13440)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


def test_every_control_format_and_separating_character_is_unseen() -> None:
    scripts = {*SEEN["Arabic"], *SEEN["Kaithi"], *HIEROGLYPHS} - {0x61C, 0x70F}

    missed = [
        f"U+{point:04X}"
        for point in range(0x110000)
        if unicodedata.category(chr(point)) in ("Cc", "Cf", "Zl", "Zp", "Cs")
        if point not in scripts and not UNSEEN.match(chr(point))
    ]

    assert missed == []


@pytest.mark.parametrize("text", ["Zürich", "東京の本社", "🚀 \u00a0a\u3000b", "مرحبا", ""])
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert visible(text) == visible_lines(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("\x9b31m\x7f", r"\x9b31m\x7f"),
        ("exe.\u202efdp", r"exe.\u202efdp"),
        ("a\u2066b\u2069\u200e\u200f\u061c", r"a\u2066b\u2069\u200e\u200f\u061c"),
        ("a\u2028b\u2029c\x85d", r"a\u2028b\u2029c\x85d"),
        ("\ufeffa\u200bb\u2060", r"\ufeffa\u200bb\u2060"),
        ("\U000e0041\udcff", r"\U000e0041\udcff"),
        ("\ufffea\uffff", r"\ufffea\uffff"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
    ],
)
def test_an_unseen_character_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible_lines(text) == shown.replace(r"\n", "\n")


@given(TEXTS)
def test_escaped_json_is_read_as_before_and_has_no_unseen_character(text: str) -> None:
    document = escaped_json(msgspec.json.encode([text, {text: 1}]).decode())

    assert json.loads(document) == [text, {text: 1}]
    assert not UNSEEN.search(document)


def test_bytes_that_are_not_utf_8_are_known() -> None:
    assert is_utf_8("Zürich 🚀")
    assert not is_utf_8(b"job-\xff".decode(errors="surrogateescape"))
