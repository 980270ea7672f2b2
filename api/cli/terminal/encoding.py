"""Arguments in other bytes than UTF-8, and output in an encoding that lacks a character."""

from __future__ import annotations

import codecs
import io
import sys
from collections.abc import Sequence
from typing import Final

import click

from domain.unseen import escaped, is_utf_8, visible

ESCAPE: Final = "milepost.escape"


class OtherBytes(click.ClickException):
    """An argument is not UTF-8."""

    exit_code = 2


def refuse_other_bytes(arguments: Sequence[str]) -> None:
    """Raise `OtherBytes` unless each argument is UTF-8."""
    for argument in arguments:
        if not is_utf_8(argument):
            raise OtherBytes(f"the argument {visible(argument)} is not UTF-8")


def escape_what_no_encoding_has() -> None:
    r"""Let standard output write `\u2713` for a character that its encoding lacks.

    JSON stays valid so, and its reader gets the same text.
    """
    codecs.register_error(ESCAPE, _escaped)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=ESCAPE)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return escaped(error.object[error.start : error.end]), error.end
