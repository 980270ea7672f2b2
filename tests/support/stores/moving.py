"""Two databases, and somebody at a terminal who moves what is in one to the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.people.shell import Shell, beside
from tests.support.stores.deployment import Deployment, prepared_env
from tests.support.web.site import Site

PAIRS = [
    pytest.param(("sqlite", "postgres"), id="sqlite to postgres"),
    pytest.param(("postgres", "sqlite"), id="postgres to sqlite"),
]


class Move:
    """A site with a history and an empty database of the other kind."""

    def __init__(
        self, old: Deployment, new: Deployment, folder: Path, settings: Mapping[str, str]
    ) -> None:
        self.old, self.new, self.folder, self.settings = old, new, folder, settings
        self.old_site = Site(old)
        self.file, self.manifest = folder / "log.jsonl", folder / "log.jsonl.manifest.json"

    def at(self, made: Deployment) -> Shell:
        """Return a shell beside one of the databases."""
        return beside(made, self.folder, **self.settings)

    def export(self, *options: str) -> str:
        """Export the old database."""
        return self.at(self.old)("export", str(self.file), *options)

    def take_in(self, *options: str) -> str:
        """Import into the new one."""
        return self.at(self.new)("import", str(self.file), *options)

    def done(self, *options: str) -> Site:
        """Move all of it; return the site over the new database."""
        self.export(*options)
        self.take_in()
        return Site(self.new)


@contextmanager
def moving(request: pytest.FixtureRequest, folder: Path, **settings: str) -> Iterator[Move]:
    """Make a way from each kind of database to the other, for a fixture with `PAIRS` as params."""
    workflows, clock = (request.getfixturevalue(name) for name in ("workflows", "clock"))
    made = [
        Deployment(prepared_env(kind, request) | settings, workflows, clock)
        for kind in request.param
    ]
    try:
        yield Move(made[0], made[1], folder, settings)
    finally:
        for each in made:
            each.close()
