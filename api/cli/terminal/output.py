"""Output of commands: sentences for people, JSON for programs."""

from __future__ import annotations

from datetime import datetime

import click
import msgspec

from domain.unseen import escaped_json, visible_lines
from projections.views.durations import span

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for a program.")

INTERRUPTED = 130
"""The exit status of a program that Ctrl-C ended: 128 and the signal's number."""


def print_json(value: object) -> None:
    """Print one JSON document on one line. A terminal that shows it obeys no character of it."""
    click.echo(escaped_json(msgspec.json.encode(value, enc_hook=str).decode()))


def on_one_line(text: str | None) -> str | None:
    """Return the text with each run of spaces and line breaks as one space."""
    return " ".join(text.split()) if text else text


def indented(text: str, columns: int) -> str:
    """Return visible text with its further lines indented, unlike any line of Milepost."""
    return visible_lines(text).replace("\n", "\n" + " " * columns)


def ago(time: datetime | None, now: datetime) -> str:
    """Return how long before now the time was, in its two largest units."""
    return f"{span(int((now - time).total_seconds()))} ago" if time else ""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 job`, `1,000 jobs`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
