"""What `milepost serve` prints at its first start."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from api.cli.serving.greeting import greet
from api.settings.settings import Settings


def test_the_line_to_paste_quotes_what_a_shell_would_take_for_a_pattern(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without quotes, zsh looks for files that fit `[::1]`, and runs nothing."""
    home = tmp_path / "a folder"
    settings = Settings(home=home, database_url=f"sqlite:///{home}/milepost.db", host="::1")

    greet(settings, {"callback secret": "a", "admin token": "b"})

    line = capsys.readouterr().out.split("in another terminal:")[1].splitlines()[2]
    assert line.endswith("demo --url 'http://[::1]:8000'")
    assert f"MILEPOST_HOME={home}" in shlex.split(line)
