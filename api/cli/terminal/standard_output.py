"""Standard output that is a closed pipe or on a full disk: neither is a traceback."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class OutputFailed(OSError):
    """The system did not take what was written to standard output."""


class _Output(io.BufferedWriter):
    """Standard output that names its faults.

    It does so around the buffer, not beneath it. Ctrl-C can interrupt a method that is written in
    Python at its last step: the buffer would take what such a file has written for unwritten, and
    write it once more.
    """

    def write(self, written: ReadableBuffer, /) -> int:
        with _named_faults():
            return super().write(written)

    def flush(self) -> None:
        with _named_faults():
            super().flush()


@contextmanager
def _named_faults() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputFailed(error.errno, error.strerror) from error


def name_faults_of_output() -> None:
    """Let standard output raise `OutputFailed`, unlike any other file on a full disk."""
    old = sys.stdout
    if isinstance(old, io.TextIOWrapper):  # Python has none if it was closed before
        sys.stdout = io.TextIOWrapper(
            _Output(io.FileIO(old.fileno(), "w", closefd=False)),
            old.encoding,
            old.errors,
            line_buffering=old.line_buffering or old.write_through,
        )


@contextmanager
def output_faults_in_a_line() -> Iterator[None]:
    """Say in one line that the output cannot be written; of a closed pipe, say nothing."""
    try:
        yield
    except BrokenPipeError:
        # `milepost jobs | head` is no error.
        _write_no_more()
        raise Exit(0) from None
    except OutputFailed as error:
        _write_no_more()
        message = f"the output cannot be written: {error.strerror}"
        raise click.ClickException(message) from error


def _write_no_more() -> None:
    """Throw away what standard output has not taken: Python would try it once more at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
