"""An export's file and, beside it, its manifest."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

import click
import msgspec

from api.atomic_file import atomic_file
from api.cli.terminal.progress import progress
from api.formats import Format
from domain.evidence.signing_keys import PrivateKey
from domain.transfer.exporting import Export
from domain.transfer.manifest import Manifest, dumped


def manifest_of(target: Path) -> Path:
    """Return the default path of an export's manifest."""
    return target.with_name(f"{target.name}.manifest.json")


def refuse_to_replace(paths: Sequence[Path], force: bool | None = None) -> None:
    """Raise `ClickException` unless every path can be written; `force` replaces files.

    None says that the command has no `--force`.
    """
    for path in paths:
        if not path.parent.is_dir():
            raise click.ClickException(
                f"{path} cannot be written: there is no folder {path.parent}"
            )
        if not _exists(path):
            continue
        if not path.is_file():
            raise click.ClickException(f"{path} is not a file, so it cannot be replaced")
        if not force:
            how = "choose another name" if force is None else "replace it with --force"
            raise click.ClickException(f"{path} exists already; {how}")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error


def write(
    exported: Export,
    form: Format,
    target: Path | None,
    manifest_path: Path | None,
    keys: Sequence[PrivateKey],
    now: datetime,
) -> Manifest:
    """Write the export and then its manifest, which confirms that the export is whole."""
    if target is None:
        written = _write(exported, form, sys.stdout.buffer, lambda position: None)
        sys.stdout.buffer.flush()
    else:
        with atomic_file(target) as sink, progress("exporting", "positions") as reached:
            reached(0, exported.stop)
            written = _write(
                exported, form, sink, lambda position: reached(position, exported.stop)
            )
            if manifest_path:
                # A crash must never leave an older manifest beside the new file.
                manifest_path.unlink(missing_ok=True)
    manifest = exported.manifest(
        version("milepost"), now, format=form.name, format_version=form.version, **written
    )
    manifest = msgspec.structs.replace(manifest, signed=bool(keys))
    if manifest_path:
        with atomic_file(manifest_path) as sink:
            sink.write(dumped(manifest, keys))
    return manifest


def _write(
    exported: Export, form: Format, sink: BinaryIO, reached: Callable[[int], object]
) -> dict[str, Any]:
    length, digest = 0, hashlib.sha256()

    def put(content: bytes) -> None:
        nonlocal length
        length += len(content)
        digest.update(content)
        sink.write(content)

    put(form.before)
    begun = False
    for position, events in exported.batches():
        if events:
            put((form.between if begun else b"") + form.between.join(map(form.write, events)))
            begun = True
        reached(position)
    put(form.after)
    return {"length": length, "sha256": digest.hexdigest()}
