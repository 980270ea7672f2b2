"""Two databases, and somebody at a terminal who moves what is in one to the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from domain.workflow import Workflows
from tests.api.conftest import Site, kind_of
from tests.api.test_cli import Shell
from tests.conftest import Clock, Deployment, deployment

PAIRS = [("sqlite", "postgres"), ("postgres", "sqlite")]


class Move:
    """A site with a history and an empty database of the other kind."""

    def __init__(self, old: Deployment, new: Deployment, folder: Path) -> None:
        self.old, self.new, self.folder = old, new, folder
        self.old_site = Site(old)
        self.file, self.manifest = folder / "log.jsonl", folder / "log.jsonl.manifest.json"

    def at(self, made: Deployment, **settings: str) -> Shell:
        """Return a shell beside one of the databases."""
        return Shell(
            MILEPOST_HOME=str(self.folder / "home"), MILEPOST_DATABASE_URL=url_of(made), **settings
        )

    def export(self, *options: str) -> str:
        """Export the old database."""
        return self.at(self.old)("export", str(self.file), *options)

    def take_in(self, *options: str) -> str:
        """Import into the new one."""
        return self.at(self.new)("import", str(self.file), *options)

    def done(self) -> Site:
        """Move all of it; return the site over the new database."""
        self.export()
        self.take_in()
        return Site(self.new)


def url_of(made: Deployment) -> str:
    """Return how a database is named in the settings."""
    if kind_of(made) == "sqlite":
        return f"sqlite:///{made.env['SQLITE_DBNAME']}"
    return made.env["DATABASE_URL"]


@pytest.fixture(params=PAIRS, ids=lambda pair: " to ".join(pair))
def move(
    request: pytest.FixtureRequest, workflows: Workflows, clock: Clock, tmp_path: Path
) -> Iterator[Move]:
    """A way from each kind of database to the other."""
    one, other = (contextmanager(deployment)(k, request, workflows, clock) for k in request.param)
    with one as old, other as new:
        yield Move(old, new, tmp_path)
