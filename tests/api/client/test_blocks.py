"""Blocks of server-sent events, as the standard cuts and reads them."""

from __future__ import annotations

from api.client.blocks import Block, blocks


def read(text: str) -> list[Block]:
    return list(blocks(text.encode().splitlines(keepends=True)))


def test_a_block_ends_with_an_empty_line_and_has_the_fields_of_its_lines() -> None:
    assert read("retry: 1840\n\nid: 41\ndata: {}\n\nevent: end\nid: 44\ndata: 1\n\n") == [
        Block(retry="1840"),
        Block(id="41", data="{}"),
        Block(id="44", event="end", data="1"),
    ]


def test_comments_and_unknown_fields_say_nothing() -> None:
    assert read(":\n\n: beat\n\nother: 1\n\n") == []


def test_data_of_several_lines_is_joined_and_one_space_is_no_part_of_a_value() -> None:
    assert read("data:  a\r\ndata\r\ndata:b\r\n\r\n") == [Block(data=" a\n\nb")]


def test_a_block_that_is_not_whole_is_dropped() -> None:
    assert read("id: 1\ndata: 1\n\nid: 2\ndata: 2\n") == [Block(id="1", data="1")]
