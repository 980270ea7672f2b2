"""A terminal of a given size, and a program on it, as a person sees and ends it."""

from __future__ import annotations

import contextlib
import os
import re
import select
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PATIENCE_SECONDS: Final = 30
CONTROL: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR: Final = re.compile(r"\x1b\[[0-9;]*(?:3[0-7]|9[0-7])(?:;[0-9;]*)?m")
CTRL_C: Final = b"\x03"
SHOWS_CURSOR: Final = "\x1b[?25h"
HIDES_CURSOR: Final = "\x1b[?25l"


class Terminal:
    """A program on a terminal; `written` is everything that it has written so far."""

    def __init__(
        self,
        command: Sequence[str | Path],
        env: Mapping[str, str],
        columns: int = 80,
        rows: int = 24,
    ) -> None:
        self._screen, keyboard = os.openpty()
        termios.tcsetwinsize(self._screen, (rows, columns))
        self.written = ""
        self._raw = b""
        self.process = subprocess.Popen(
            command,
            # A session of its own, whose terminal this is: so Ctrl-C ends the program, and no test.
            preexec_fn=lambda: _own(keyboard),
            env={**env, "TERM": "xterm-256color"},
            stdin=keyboard,
            stdout=keyboard,
            stderr=keyboard,
        )
        os.close(keyboard)

    def until(self, text: str, after: int = 0) -> int:
        """Wait until the text is written after a place; return the place behind it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (found := self.written.find(text, after)) < 0:
            assert time.monotonic() < deadline, (text, self.written[after:])
            assert self._read(1.0), (text, self.written[after:])
        return found + len(text)

    def press(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._screen, keys)

    def end(self) -> int:
        """Read what the program writes until it ends; return its exit status."""
        while self._read(PATIENCE_SECONDS):
            pass
        return self.process.wait(PATIENCE_SECONDS)

    def close(self) -> None:
        """End the program if it has not ended."""
        self.process.kill()
        self.process.wait()
        os.close(self._screen)

    @property
    def plain(self) -> str:
        """What was written, without control sequences."""
        return CONTROL.sub("", self.written)

    def _read(self, seconds: float) -> bool:
        """Take what is written within a time; return False once the program has ended."""
        if not select.select([self._screen], [], [], seconds)[0]:
            return True
        with contextlib.suppress(OSError):  # Linux ends a terminal's output with EIO
            if some := os.read(self._screen, 65536):
                self._raw += some
                self.written = self._raw.decode(errors="replace")
                return True
        return False


def _own(keyboard: int) -> None:
    os.setsid()
    with open(os.ttyname(keyboard), "rb"):  # noqa: PTH123  opening it makes it the terminal
        pass


@contextmanager
def terminal(
    command: Sequence[str | Path], env: Mapping[str, str], columns: int = 80, rows: int = 24
) -> Iterator[Terminal]:
    """Run a program on a terminal."""
    opened = Terminal(command, env, columns, rows)
    try:
        yield opened
    finally:
        opened.close()
