"""No traceback comes of a standard output that is closed, a closed pipe or on a full disk."""

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


def open_closed_streams() -> None:
    """Put `/dev/null` in the place of each standard stream that was closed before the start.

    Otherwise the next file or connection gets the number of that stream, and a text for the stream
    is written into it. Nothing can be written to standard output then, so that no command that
    prints says that it has done its work.
    """
    for number, access in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, access)  # it gets the lowest number that is free
            os.set_inheritable(number, True)
    # Python has no object for a stream that was closed.
    if not sys.stdin:
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)))
    if not sys.stdout:
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w", closefd=False)))
    if not sys.stderr:
        sys.stderr = io.TextIOWrapper(io.BufferedWriter(io.FileIO(2, "w", closefd=False)))


def name_faults_of_output() -> None:
    """Let standard output raise `OutputFailed`, unlike any other file on a full disk."""
    old = sys.stdout
    if isinstance(old, io.TextIOWrapper):
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
        write_no_more()
        raise Exit(0) from None
    except OutputFailed as error:
        write_no_more()
        message = f"the output cannot be written: {error.strerror}"
        raise click.ClickException(message) from error


def write_no_more() -> None:
    """Throw away what standard output has not taken: Python would try it once more at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
