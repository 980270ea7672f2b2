"""import: fill an empty store from an export."""

from __future__ import annotations

import sys
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click
import msgspec

from api.cli.moving.export_file import manifest_of
from api.cli.terminal.opening import opened
from api.cli.terminal.output import as_json, counted, print_json
from api.cli.terminal.progress import progress
from api.settings.config import from_environment
from api.wiring import Services
from domain.evidence.signing_keys import PublicKey
from domain.log.store import translated
from domain.transfer.importing import Imported, fill
from domain.transfer.jsonl import MAX_LINE_BYTES
from domain.transfer.manifest import Manifest, loaded

MAX_MANIFEST_BYTES = 2**20


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--manifest",
    "manifest_path",
    type=click.Path(path_type=Path),
    help="The manifest's file (FILE.manifest.json).",
)
@click.option(
    "--no-manifest", is_flag=True, help="Import the file without a check that it is whole."
)
@as_json
def import_(file: Path, manifest_path: Path | None, no_manifest: bool, as_json: bool) -> None:
    """Fill an empty database with the whole log in FILE.

    FILE may be `-`, for standard input. Versions, positions, times and bytes do not change. The
    import stores the whole log or nothing.
    """
    if manifest_path and no_manifest:
        raise click.UsageError("--manifest and --no-manifest exclude each other")
    if file == Path("-") and not (manifest_path or no_manifest):
        raise click.UsageError("standard input has no manifest beside it: name one with --manifest")
    # The generated checkpoint key of this home is not trusted: an export may be of another log.
    trusted = from_environment().trusted
    with _reading(file) as source:
        manifest = None if no_manifest else read(manifest_path or manifest_of(file), trusted)
        if manifest is None:
            click.echo(
                "Without a manifest, the import cannot check that the file is whole and unchanged.",
                err=True,
            )
        with opened(makes_store=True) as services:
            imported = _fill(services, source, manifest)
    _report(imported, manifest, as_json)


def _fill(services: Services, source: BinaryIO, manifest: Manifest | None) -> Imported:
    if position := services.read_model.position():
        raise click.ClickException(
            f"the read model is at position {position} already; import into a new database"
        )
    with translated():
        if size := services.tree.head().size:
            raise click.ClickException(
                f"the tree has {size:,} events already; import into a new database"
            )
    length = manifest.length if manifest else None
    with translated(), progress("importing", "bytes") as reached:
        reached(0, length)
        store, mapper = services.milepost.store, services.milepost.mapper
        lines = _lines(source)
        imported = fill(store, mapper, lines, manifest, lambda done: reached(done, length))
    services.read_model.wake()
    return imported


def _lines(source: BinaryIO) -> Iterator[bytes]:
    # `readline` cuts a longer line; `fill` refuses a line without its end.
    return iter(lambda: source.readline(MAX_LINE_BYTES), b"")


@contextmanager
def _reading(file: Path) -> Iterator[BinaryIO]:
    if file == Path("-"):
        yield sys.stdin.buffer
        return
    try:
        source = file.open("rb")
    except OSError as error:
        raise click.ClickException(f"{file} cannot be read: {error.strerror}") from error
    with source:
        yield source


def read(path: Path, trusted: Sequence[PublicKey]) -> Manifest:
    """Return the manifest in the file; raise an error unless its export can be imported."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_MANIFEST_BYTES)
    except OSError as error:
        raise click.ClickException(
            f"the manifest {path} cannot be read ({error.strerror}); name its file with "
            "--manifest, or import without a check with --no-manifest"
        ) from error
    manifest = loaded(content, trusted)
    manifest.check_importable()
    return manifest


def _report(imported: Imported, manifest: Manifest | None, as_json: bool) -> None:
    if imported.merkle is None:
        click.echo(
            "The events were encrypted or compressed anew, so the log has another Merkle root.",
            err=True,
        )
    if imported.unread:
        click.echo(
            f"Stored, but not readable by this release: {counted(imported.unread, 'event')}.",
            err=True,
        )
    if as_json:
        return print_json({**msgspec.to_builtins(imported), "checked": manifest is not None})
    amount = f"{counted(imported.events, 'event')} of {counted(imported.jobs, 'job')}"
    click.echo(f"Imported {amount}, up to position {imported.last_position:,}.")
    if imported.merkle:
        click.echo(
            f"Merkle root of {imported.merkle.size:,}: {b64encode(imported.merkle.root).decode()}"
        )
    click.echo("A projector folds them next: milepost serve, or milepost project.")
    return None
