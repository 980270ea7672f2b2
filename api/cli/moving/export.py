"""export: write the log, or a part of it, to a file."""

from __future__ import annotations

import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec

from api.cli.moving.export_file import manifest_of, refuse_to_replace, write
from api.cli.terminal.opening import opened
from api.cli.terminal.options import When
from api.cli.terminal.output import as_json, counted, print_json
from api.formats import Format
from api.formats.cloudevents import SOURCE, URI_REFERENCE, batch, cloudevents
from api.formats.spreadsheet import CSV
from domain.errors import JobNotFound
from domain.log.reading.contract import NEWEST
from domain.log.store import translated
from domain.transfer.exporting import Export, Selection
from domain.transfer.jsonl import FORMAT, FORMAT_VERSION, encode
from domain.transfer.manifest import Manifest
from domain.unseen import visible

JSONL = Format(FORMAT, FORMAT_VERSION, encode)
FORMATS: dict[str, Callable[[str], Format]] = {
    FORMAT: lambda source: JSONL,
    "csv": lambda source: CSV,
    "cloudevents": cloudevents,
    "cloudevents-batch": batch,
}


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--format",
    "name",
    type=click.Choice(list(FORMATS)),
    default=FORMAT,
    show_default=True,
    help="Only jsonl can be imported.",
)
@click.option("--job", "job_id", help="Export only this job's events.")
@click.option("--user", "user_id", help="Export only jobs that are registered for this user.")
@click.option("--since", type=When(), help="Export only events recorded at this time or later.")
@click.option("--until", type=When(), help="Export only events recorded before this time.")
@click.option(
    "--from-position", type=click.IntRange(1, NEWEST), help="The first position to export."
)
@click.option("--to-position", type=click.IntRange(1, NEWEST), help="The last position to export.")
@click.option(
    "--sealed", is_flag=True, help="Export encrypted and compressed events as they are stored."
)
@click.option("--source", default=SOURCE, show_default=True, help="The source of CloudEvents.")
@click.option(
    "--manifest",
    "manifest_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file for the manifest (FILE.manifest.json).",
)
@click.option("--force", is_flag=True, help="Replace existing files.")
@as_json
def export(
    file: Path | None,
    name: str,
    sealed: bool,
    source: str,
    manifest_path: Path | None,
    force: bool,
    as_json: bool,
    **selected: Any,
) -> None:
    """Write the present log to FILE or to standard output.

    The manifest beside FILE describes its content, with its SHA-256 and the log's Merkle root.
    """
    target = None if file is None or file == Path("-") else file
    selection = _selection(selected)
    if sealed and name != FORMAT:
        raise click.UsageError(f"--sealed needs --format {FORMAT}: sealed events have no fields")
    if not URI_REFERENCE.fullmatch(source):
        raise click.UsageError("--source must be a URI")
    if target is None and as_json:
        raise click.UsageError("--json prints on standard output, like the export; name a FILE")
    if target is None and sys.stdout.isatty():
        raise click.UsageError(
            "an export is not for a terminal; name a FILE, or pipe the export to a program"
        )
    if target:
        manifest_path = manifest_path or manifest_of(target)
    refuse_to_replace([path for path in (target, manifest_path) if path], force)
    with opened(only_looks=True, with_key=True) as services, translated():
        job_id = selection.job_id
        if job_id is not None and not services.read_model.log.history(job_id, limit=1):
            raise JobNotFound(f"There is no job {job_id!r}.")
        exported = Export(
            services.milepost.store,
            services.milepost.mapper,
            selection,
            services.milepost.durable_end(),
            sealed=sealed,
        )
        keys = services.signers()
        made = write(exported, FORMATS[name](source), target, manifest_path, keys, services.clock())
    _report(made, exported, target, manifest_path, as_json)


def _selection(selected: dict[str, Any]) -> Selection:
    selection = Selection(**selected)
    if selection.since and selection.until and selection.since >= selection.until:
        raise click.UsageError("--since is not before --until")
    first, last = selection.from_position, selection.to_position
    if first and last and first > last:
        raise click.UsageError("--from-position is after --to-position")
    return selection


def _report(
    made: Manifest, exported: Export, target: Path | None, manifest_path: Path | None, as_json: bool
) -> None:
    if exported.decrypted:
        click.echo(
            "Decrypted: this export shows in plain text what the store has encrypted "
            "(--sealed keeps it encrypted).",
            err=True,
        )
    if manifest_path and not made.signed:
        click.echo("Not signed: no checkpoint key is configured.", err=True)
    if as_json:
        return print_json({"file": target, "manifest": manifest_path, **msgspec.to_builtins(made)})
    if target:
        what = "the whole log" if made.complete else "a part of the log"
        amount = f"{counted(made.events, 'event')} of {counted(made.jobs, 'job')}"
        click.echo(f"Exported {amount}, {what}, to {visible(str(target))}.")
        if made.merkle:
            click.echo(
                f"Merkle root of {made.merkle.size:,}: {b64encode(made.merkle.root).decode()}"
            )
        click.echo(f"Its manifest is {visible(str(manifest_path))}.")
    return None
