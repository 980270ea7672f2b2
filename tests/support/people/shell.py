"""A terminal in which a test runs `milepost` commands, in this process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from api.cli import main
from tests.support.stores.deployment import Deployment, url_of

VARIABLES = (
    "MILEPOST_HOME",
    "MILEPOST_DATABASE_URL",
    "MILEPOST_CALLBACK_SECRET",
    "GITHUB_CALLBACK_SECRET",
    "MILEPOST_ADMIN_TOKEN",
    "MILEPOST_CHECKPOINT_KEY",
    "MILEPOST_CHECKPOINT_TRUSTED",
    "MILEPOST_WORKFLOWS",
    "MILEPOST_HOST",
    "MILEPOST_PORT",
    "MILEPOST_WORKERS",
    "MILEPOST_LOG_FORMAT",
)
ESCAPE = "\x1b"


class Shell:
    """Somebody at a terminal, with these variables and no others."""

    def __init__(self, **environment: str) -> None:
        unset: dict[str, str | None] = {}
        for name in VARIABLES:
            unset |= {name: None, f"{name}_FILE": None}
        self.environment: Mapping[str, str | None] = {**unset, **environment}

    def run(self, *arguments: str, stdin: str | bytes | None = None) -> Result:
        """Run a command and return what became of it."""
        return CliRunner().invoke(main, arguments, stdin, env=self.environment, color=True)

    def __call__(self, *arguments: str) -> str:
        """Run a command that goes well and return what it prints."""
        result = self.run(*arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *arguments: str) -> Any:
        """Run a command with --json and return its one document."""
        return json.loads(self(*arguments, "--json"))

    def lines(self, *arguments: str) -> list[Any]:
        """Run a command with --json and return its documents, one a line."""
        return [json.loads(line) for line in self(*arguments, "--json").splitlines()]

    def fails(self, *arguments: str) -> str:
        """Run a command that fails and return the one line that it says."""
        result = self.run(*arguments)
        assert result.exit_code == 1, result.output
        assert isinstance(result.exception, SystemExit), repr(result.exception)
        assert result.stdout == ""
        assert result.stderr.startswith("Error: ")
        assert result.stderr.count("\n") == 1
        return result.stderr


def beside(made: Deployment, folder: Path, **settings: str) -> Shell:
    """Return a shell whose settings name the database."""
    home = str(folder / "home")
    return Shell(MILEPOST_HOME=home, MILEPOST_DATABASE_URL=url_of(made), **settings)
