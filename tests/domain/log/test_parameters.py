"""Parameters: a text between tags is one literal, whatever it contains."""

from __future__ import annotations

import psycopg
import pytest

from domain.log.parameters import as_json, spelled

TEXTS = [
    "",
    "plain",
    "$m$",
    "$m",
    "$",
    "$m$m$",
    "a $m$); DROP TABLE milepost_events; --$m$",
    "'; \\' \\\\ \" $$ $1 %s %% %(name)s",
    "é 漢字 \N{GRINNING FACE} \u2028",
    "line\nline\r\n\ttab",
    as_json([{"document": as_json({"error": "it's \\ \" $m$"})}, None, True]),
]


@pytest.mark.parametrize("text", TEXTS)
def test_postgresql_reads_what_was_spelled(postgres_server_dsn: str, text: str) -> None:
    with psycopg.connect(postgres_server_dsn) as connection:
        rows = connection.execute(f"SELECT {spelled(text)}, 1".encode()).fetchall()

    assert rows == [(text, 1)]


def test_tags_differ_where_the_usual_one_is_in_the_text() -> None:
    assert spelled("plain") == "$m$plain$m$"
    assert not spelled("a $m$ b").startswith("$m$")
    assert not spelled("a $m").startswith("$m$")
