"""backup: make a verified copy of the database, beside servers at work."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

import click
import msgspec

from api.atomic_file import atomic_path
from api.cli.moving.export_file import refuse_to_replace
from api.cli.terminal.opening import opened
from api.cli.terminal.output import as_json, counted, print_json
from api.cli.terminal.progress import progress
from api.databases import copied_to
from api.settings.checks.sqlite_file import OF_SQLITE, url_of
from api.settings.config import from_environment
from api.settings.pg_dump import pg_dump
from api.settings.settings import Settings
from api.wiring import Services, open_services
from domain.log.store import translated
from domain.unseen import visible
from projections.verification.findings import Finding
from projections.verification.run import Summary

SHOWN = 20
"""How many findings the command prints for a person."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@as_json
def backup(file: Path, as_json: bool) -> None:
    """Copy the SQLite database to FILE and verify the copy.

    The exit status is 1 if the copy has findings.

    Servers may go on meanwhile. FILE must not exist; it gets its name once the copy is whole, on
    the disk and verified. The copy is verified as `milepost verify` does it: SQLite finds its
    structure whole, and every event, the tree, the rows, the snapshots and the keys fit together.
    A copy with findings is kept, because the database has them too. Of a PostgreSQL database, the
    command only says how to copy it.
    """
    settings = from_environment()
    if settings.database == "postgresql":
        raise click.ClickException(
            "milepost backup copies SQLite databases; for PostgreSQL run: "
            f"{pg_dump(settings.database_url, file)}"
        )
    refuse_to_replace([file])
    _refuse_leftovers(file)
    began, findings = monotonic(), list[Finding]()
    with opened(only_looks=True) as services, translated():
        try:
            with atomic_path(file, replace=False) as part:
                _copy(services, part)
                summary = _verified(services.settings, part, findings)
        except FileExistsError as error:
            raise click.ClickException(f"{file} exists already") from error
    _report(file, summary, findings, monotonic() - began, as_json)
    if findings:
        raise click.exceptions.Exit(1)


def _refuse_leftovers(file: Path) -> None:
    """Raise `ClickException` if SQLite would take a file beside FILE for a part of the copy."""
    for end in OF_SQLITE:
        beside = file.with_name(file.name + end)
        if os.path.lexists(beside):
            raise click.ClickException(
                f"{beside} is left of another database, and SQLite would write it into the copy; "
                "remove it, or choose another name"
            )


def _copy(services: Services, part: Path) -> None:
    with progress("copying", "pages") as reached:
        copied_to(services.milepost.recorder, part, reached)


def _verified(settings: Settings, part: Path, findings: list[Finding]) -> Summary:
    """Verify the copy; add what is found to the findings."""
    of_copy = msgspec.structs.replace(settings, database_url=url_of(part))
    services = open_services(of_copy, only_looks=True)
    try:
        verification = services.verification([], findings.append)
        state = verification.begin(settings.shown_database, services.clock())
        total = 2 * (state.head.size + max(0, state.upto - state.head.position))
        with progress("verifying", "events") as reached:
            done = 0
            reached(done, total)

            def advance(count: int) -> None:
                nonlocal done
                done += count
                reached(done, total)

            return verification.run(state, settings.shown_database, advance)
    finally:
        services.close()


def _report(
    file: Path, summary: Summary, findings: Sequence[Finding], seconds: float, as_json: bool
) -> None:
    size = file.stat().st_size
    if as_json:
        print_json(
            {
                "file": file,
                "bytes": size,
                "seconds": round(seconds, 3),
                **msgspec.structs.asdict(summary),
                "found": [msgspec.structs.asdict(each) for each in findings],
            }
        )
        return
    amount = f"{counted(summary.events, 'event')} of {counted(summary.jobs, 'job')}"
    click.echo(
        f"Copied {amount}, up to position {summary.position:,}, to {visible(str(file))} "
        f"({size:,} bytes)."
    )
    click.echo(f"Root of {counted(summary.events, 'event')}: {summary.root}")
    for finding in findings[:SHOWN]:
        click.echo(visible(str(finding).replace("\n", " ")))
    if len(findings) > SHOWN:
        click.echo(f"… and {len(findings) - SHOWN:,} more; --json prints all")
    if findings:
        click.echo(
            f"The copy is whole, and has {counted(len(findings), 'finding')}, as the database has."
        )
    else:
        click.echo("Verified the copy: no findings.")
