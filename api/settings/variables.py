"""Variables of an environment: `NAME` has the value, or `NAME_FILE` names a file with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from domain.errors import MilepostError
from domain.job.spelling import closest
from domain.unseen import is_utf_8

MAX_FILE: Final = 65_536
"""A setting's file has at most this many bytes: a device such as /dev/zero has no end."""


PREFIX: Final = "MILEPOST_"
OF_OTHERS: Final = (
    *("CALLBACK_URL", "CALLBACK_KEY", "JOB_ID", "RUN_ID", "RUN_ATTEMPT", "WAIT", "SPOOL"),
    *("URL", "TOKEN", "TEST_DATABASE_URL"),
)
"""The variables of `milepost-report`, of commands that ask a server, and of the tests."""


QUOTES: Final = ("'", '"')
OF_KUBERNETES: Final = (
    "; Kubernetes sets it to a URL for a Service called milepost: set enableServiceLinks to false"
)


class InvalidSetting(MilepostError):
    """A setting cannot be used; the message names the variable and the rule that it breaks."""


class Variables:
    """Reads variables; raises an `InvalidSetting` that names the variable."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._read: set[str] = set()
        self._quoted: set[str] = set()

    def get(self, name: str) -> str | None:
        """Return a variable's value, or the content of the file that NAME_FILE names, or None."""
        self._read.add(name)
        value, path = self._variables.get(name), self._variables.get(f"{name}_FILE")
        for which, given in ((name, value), (f"{name}_FILE", path)):
            if given and not is_utf_8(given):
                raise InvalidSetting(f"{which}: must be UTF-8")
        if value and path:
            raise InvalidSetting(f"{name}: set either {name} or {name}_FILE, not both")
        if path:
            try:
                with Path(path).open("rb") as file:
                    content = file.read(MAX_FILE + 1)
                if len(content) > MAX_FILE:
                    raise InvalidSetting(f"{name}_FILE: {path} has more than {MAX_FILE:,} bytes")
                # Some editors begin a file with a byte-order mark, which is no part of the value.
                value = content.decode("utf-8-sig").strip()
            except OSError as error:
                raise InvalidSetting(f"{name}_FILE: {path} cannot be read: {error}") from error
            except UnicodeDecodeError as error:
                raise InvalidSetting(f"{name}_FILE: {path} must be UTF-8: {error}") from error
            if not value:
                raise InvalidSetting(f"{name}_FILE: {path} is empty")
        if value and len(value) > 1 and value[0] == value[-1] and value[0] in QUOTES:
            self._quoted.add(self.source(name))
        return value or None

    def doubts(self) -> tuple[str, ...]:
        """Return a sentence for each variable that probably says something else than was meant."""
        return (*self._misspelt(), *self._in_quotation_marks())

    def _in_quotation_marks(self) -> tuple[str, ...]:
        return tuple(
            f"{source}: the quotation marks around it count as a part of it; only a shell takes "
            "them off"
            for source in sorted(self._quoted)
        )

    def _misspelt(self) -> tuple[str, ...]:
        known = {name.removeprefix(PREFIX) for name in self._read if name.startswith(PREFIX)}
        known |= {*OF_OTHERS}
        known |= {f"{name}_FILE" for name in known}
        return tuple(
            f"{name} is no setting, and has no effect; did you mean {PREFIX}{meant}?"
            for name in sorted(self._variables)
            if name.upper().startswith(PREFIX)
            and name.removeprefix(PREFIX) not in known
            and (meant := closest(name[len(PREFIX) :], known))
        )

    def source(self, name: str) -> str:
        """Return where a value is: the file that NAME_FILE names, or else the variable."""
        return self._variables.get(f"{name}_FILE") or name

    def listed(self, name: str) -> tuple[str, ...]:
        """Return the values of a variable, which commas separate.

        In the file that NAME_FILE names, lines separate them, so that a value may have a comma.
        """
        value = self.get(name) or ""
        parts = value.splitlines() if self._variables.get(f"{name}_FILE") else value.split(",")
        return tuple(part.strip() for part in parts if part.strip())

    def choice(self, name: str, words: Sequence[str]) -> str:
        """Return one of the words: the first one if the variable is unset."""
        value = self.get(name) or words[0]
        if value not in words:
            raise InvalidSetting(f"{name}: must be {' or '.join(words)}, not {value[:20]!r}")
        return value

    def integer(self, name: str, least: int, most: int) -> int | None:
        """Return a whole number from `least` to `most`, None if unset."""
        value = self.get(name)
        if value is None:
            return None
        digits = value.isascii() and value.isdigit() and len(value) < 9
        if not digits or not least <= int(value) <= most:
            advice = "" if name != "MILEPOST_PORT" or "://" not in value else OF_KUBERNETES
            raise InvalidSetting(
                f"{name}: {value[:20]!r} must be a whole number from {least} to {most}{advice}"
            )
        return int(value)
