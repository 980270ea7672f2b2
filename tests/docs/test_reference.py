"""The pages of reference: every setting, every command, and every route of the API."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from api import settings
from api.cli import main
from tests.support.stores.deployment import Deployment
from tests.support.web.site import Site

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def test_every_setting_is_in_the_table() -> None:
    files = Path(settings.__file__).parent.rglob("*.py")
    source = "\n".join(file.read_text(encoding="utf-8") for file in files)
    page = (REFERENCE / "settings.md").read_text(encoding="utf-8")

    names = set(re.findall(r'"((?:MILEPOST|GITHUB|CIPHER|COMPRESSOR)_[A-Z_]+)"', source))
    assert {"MILEPOST_HOME", "MILEPOST_DATABASE_URL", "CIPHER_KEY"} <= names, "not in this room"
    assert {name for name in names if f"`{name}`" not in page} == set()


def test_the_page_on_the_api_has_every_route_and_no_other(memory: Deployment) -> None:
    document = Site(memory).read("/api/openapi.json")
    routes = {
        f"{method.upper()} {path}"
        for path, operations in document["paths"].items()
        for method in operations
        if method in ("get", "post", "put", "patch", "delete")
    }
    page = (REFERENCE / "http-api.md").read_text(encoding="utf-8")
    table = page.split("## ")[0]

    assert set(re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) [^`]+)`", table)) == routes


def rows(command: click.Command, name: str) -> Iterator[str]:
    """Yield the row of a command, or those of a group's commands."""
    if isinstance(command, click.Group):
        for each, member in command.commands.items():
            yield from rows(member, f"{name} {each}")
    else:
        yield f"| `{name}` | {command.get_short_help_str(200)} |"


def test_the_page_on_commands_says_of_each_what_its_help_says() -> None:
    page = (REFERENCE / "commands.md").read_text(encoding="utf-8")

    assert [line for line in page.splitlines() if line.startswith("| `")] == [
        *rows(main, "milepost")
    ]
