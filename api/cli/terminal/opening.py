"""The services that a command works with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from api.settings.config import from_environment
from api.settings.credentials import with_stored_checkpoint_key
from api.settings.home import check_database_file
from api.settings.settings import Settings
from api.wiring import Services, open_services
from domain.log.store import translated


@contextmanager
def opened(
    settings: Settings | None = None,
    *,
    makes_store: bool = False,
    only_looks: bool = False,
    with_key: bool = False,
    first: Callable[[Settings], object] = lambda _: None,
) -> Iterator[Services]:
    """Open the services that the settings name, or else the environment, and close them.

    A database without any table of Milepost is an error, unless the command `makes_store`: in the
    wrong folder, or with the wrong URL, a command must not begin a second store. The missing schema
    steps are applied first, unless the command `only_looks`: then an account that may only read can
    run the command, and a database that lacks a table raises `SchemaBehind`. With `with_key`, the
    settings get the checkpoint key of the first start, if that key exists. Before the first
    connection, `first` is called with the settings: it may open the database's files.
    """
    settings = settings or from_environment()
    if with_key:
        settings = with_stored_checkpoint_key(settings)
    check_database_file(settings, only_looks=only_looks)
    if not makes_store and settings.database == "sqlite" and not settings.sqlite_file.exists():
        raise _no_store(f"there is no database at {settings.sqlite_file.absolute()}")
    services = open_services(settings.of_parent(), only_looks=only_looks)
    try:
        first(settings)
        if only_looks:
            services.check()
        elif makes_store or services.has_store():
            services.prepare()
        else:
            raise _no_store(f"{settings.shown_database} has no tables of Milepost")
        with translated():
            yield services
    finally:
        services.close()


def _no_store(fault: str) -> click.ClickException:
    return click.ClickException(
        f"{fault}; run this command where `milepost serve` runs, or set MILEPOST_HOME or "
        "MILEPOST_DATABASE_URL"
    )
