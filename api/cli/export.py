"""export: take the log along, or a part of it."""

from __future__ import annotations

import hashlib
import sys
from base64 import b64encode
from collections.abc import Callable, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

import click
import msgspec

from api.cli.terminal.options import When
from api.cli.terminal.output import as_json, counted, opened, print_json
from api.cli.terminal.progress import progress
from api.cli.terminal.whole_file import whole_file
from api.formats import Format
from api.formats.cloudevents import SOURCE, URI_REFERENCE, batch, cloudevents
from api.formats.spreadsheet import CSV
from domain.errors import JobNotFound
from domain.evidence.checkpoints import PrivateKey
from domain.log.store import translated
from domain.transfer.exporting import Export, Selection
from domain.transfer.jsonl import FORMAT, FORMAT_VERSION, encode
from domain.transfer.manifest import Manifest, dumped

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
    help="jsonl is the one that can be imported.",
)
@click.option("--job", "job_id", help="Only this job's events.")
@click.option("--user", "user_id", help="Only the jobs that are registered for this user.")
@click.option("--since", type=When(), help="Recorded at this time or later.")
@click.option("--until", type=When(), help="Recorded before this time.")
@click.option("--from-position", type=click.IntRange(1), help="From this position on.")
@click.option("--to-position", type=click.IntRange(1), help="Up to and with this position.")
@click.option("--sealed", is_flag=True, help="Leave encrypted and compressed events as they are.")
@click.option("--source", default=SOURCE, show_default=True, help="The source of CloudEvents.")
@click.option(
    "--manifest",
    "manifest_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the manifest goes (FILE.manifest.json).",
)
@click.option("--force", is_flag=True, help="Replace files that are there.")
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
    """Write the log, as it stands, to FILE or to standard output.

    Beside FILE goes a manifest that says what is in it, with its SHA-256 and the log's Merkle root.
    """
    target = None if file is None or file == Path("-") else file
    selection = _selection(selected)
    if sealed and name != FORMAT:
        raise click.UsageError(
            f"--sealed goes with --format {FORMAT}: sealed events have no fields"
        )
    if not URI_REFERENCE.fullmatch(source):
        raise click.UsageError("--source wants a URI")
    if target is None and as_json:
        raise click.UsageError(
            "--json prints on standard output, where the export goes; name a FILE"
        )
    if target is None and sys.stdout.isatty():
        raise click.UsageError("an export is not for a terminal; name a FILE, or pipe it on")
    if target:
        manifest_path = manifest_path or manifest_of(target)
    _refuse_to_replace([path for path in (target, manifest_path) if path], force)
    with opened(only_looks=True, with_key=True) as here, translated():
        job_id = selection.job_id
        if job_id is not None and not here.read_model.log.history(job_id, limit=1):
            raise JobNotFound(f"There is no job {job_id!r}.")
        taken = Export(
            here.milepost.store,
            here.milepost.mapper,
            selection,
            here.read_model.log.newest_position(),
            sealed=sealed,
        )
        keys = here.settings.signers
        made = write(taken, FORMATS[name](source), target, manifest_path, keys, here.clock())
    _report(made, taken, target, manifest_path, as_json)


def manifest_of(target: Path) -> Path:
    """Return where the manifest of a file is unless somebody says otherwise."""
    return target.with_name(f"{target.name}.manifest.json")


def write(
    taken: Export,
    form: Format,
    target: Path | None,
    manifest_path: Path | None,
    keys: Sequence[PrivateKey],
    now: datetime,
) -> Manifest:
    """Write the export and then, last, the manifest that says it is whole."""
    if target is None:
        written = _write(taken, form, sys.stdout.buffer, lambda position: None)
        sys.stdout.buffer.flush()
    else:
        with whole_file(target) as sink, progress("exporting", "positions") as reached:
            reached(0, taken.stop)
            written = _write(taken, form, sink, lambda position: reached(position, taken.stop))
            if manifest_path:
                # So that an older one never speaks of this file.
                manifest_path.unlink(missing_ok=True)
    manifest = taken.manifest(
        version("milepost"), now, format=form.name, format_version=form.version, **written
    )
    manifest = msgspec.structs.replace(manifest, signed=bool(keys))
    if manifest_path:
        with whole_file(manifest_path) as sink:
            sink.write(dumped(manifest, keys))
    return manifest


def _write(
    taken: Export, form: Format, sink: BinaryIO, reached: Callable[[int], object]
) -> dict[str, Any]:
    length, digest = 0, hashlib.sha256()

    def put(content: bytes) -> None:
        nonlocal length
        length += len(content)
        digest.update(content)
        sink.write(content)

    put(form.before)
    begun = False
    for position, events in taken.batches():
        if events:
            put((form.between if begun else b"") + form.between.join(map(form.write, events)))
            begun = True
        reached(position)
    put(form.after)
    return {"length": length, "sha256": digest.hexdigest()}


def _selection(selected: dict[str, Any]) -> Selection:
    found = Selection(**selected)
    if found.since and found.until and found.since >= found.until:
        raise click.UsageError("--since is not before --until")
    if found.from_position and found.to_position and found.from_position > found.to_position:
        raise click.UsageError("--from-position is after --to-position")
    return found


def _refuse_to_replace(paths: Sequence[Path], force: bool) -> None:
    for path in paths:
        if not path.parent.is_dir():
            raise click.ClickException(
                f"{path} cannot be written: there is no folder {path.parent}"
            )
        if not _is_there(path):
            continue
        if not path.is_file():
            raise click.ClickException(f"{path} is no file, so it cannot be replaced")
        if not force:
            raise click.ClickException(f"{path} is there already; replace it with --force")


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error


def _report(
    made: Manifest, taken: Export, target: Path | None, manifest_path: Path | None, as_json: bool
) -> None:
    if taken.decrypted:
        click.echo(
            "Decrypted: everything that is encrypted in the store is legible in this export "
            "(--sealed leaves it as it is).",
            err=True,
        )
    if manifest_path and not made.signed:
        click.echo("Not signed: no checkpoint key is configured.", err=True)
    if as_json:
        return print_json({"file": target, "manifest": manifest_path, **msgspec.to_builtins(made)})
    if target:
        what = "the whole log" if made.complete else "a part of the log"
        told = f"{counted(made.events, 'event')} of {counted(made.jobs, 'job')}"
        click.echo(f"Exported {told}, {what}, to {target}.")
        if made.merkle:
            click.echo(
                f"Merkle root of {made.merkle.size:,}: {b64encode(made.merkle.root).decode()}"
            )
        click.echo(f"Its manifest is {manifest_path}.")
    return None
