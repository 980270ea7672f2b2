"""The manifest of an export: what the file contains, so that a reader can check it.

Its canonical text is a heading and a line of JSON. A C2SP `signed-note` signs that text with the
keys that sign checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from domain.evidence.merkle import Frontier
from domain.evidence.signed_note import InvalidCheckpoint, opened_note, signed_note
from domain.evidence.signing_keys import PrivateKey, PublicKey
from domain.transfer.jsonl import FORMAT, FORMAT_VERSION, InvalidExport
from domain.unseen import escaped_json

HEADING = "milepost export manifest 1\n"
"""The first signed line, so that a manifest's signature cannot be used under another text."""


class Root(msgspec.Struct, frozen=True):
    """The Merkle tree over the stored bytes of the log's first `size` events (RFC 9162)."""

    size: int
    root: bytes

    @classmethod
    def of(cls, frontier: Frontier) -> Root:
        """Return the size and root of a frontier's tree."""
        return cls(frontier.size, frontier.root)


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What an export holds.

    `complete` means that the file holds the whole log, without a filter. `sha256`, in hex, and
    `length`, in bytes, are the file's. `sealed` means that the lines hold encrypted or compressed
    bytes. `decrypted` or `decompressed` means that the log's bytes differ from the file's. `merkle`
    is the log's tree, if the export is complete.
    """

    format: str
    format_version: int
    milepost_version: str
    made_at: datetime
    complete: bool
    filters: dict[str, Any]
    first_position: int | None
    last_position: int | None
    events: int
    jobs: int
    length: int
    sha256: str
    sealed: bool
    decrypted: bool
    decompressed: bool
    merkle: Root | None
    signed: bool

    @property
    def as_stored(self) -> bool:
        """True when the file holds the same bytes as the log."""
        return not (self.decrypted or self.decompressed)

    def check_importable(self) -> None:
        """Raise `InvalidExport` unless the export can be imported."""
        if (self.format, self.format_version) != (FORMAT, FORMAT_VERSION):
            raise InvalidExport(
                f"It is {self.format} {self.format_version}; "
                f"only {FORMAT} {FORMAT_VERSION} can be imported."
            )
        if not self.complete:
            named = ", ".join(f"{name}={value}" for name, value in self.filters.items())
            raise InvalidExport(
                f"It holds a part of a log ({named}), of which no store can be made."
            )


def dumped(manifest: Manifest, keys: Sequence[PrivateKey] = ()) -> bytes:
    """Return the manifest's file: its members, and `note`, the signed note over them or null."""
    manifest = msgspec.structs.replace(manifest, signed=bool(keys))
    members = msgspec.to_builtins(manifest)
    note = signed_note(_canonical(members), keys) if keys else None
    document = escaped_json(msgspec.json.encode({**members, "note": note}).decode())
    return msgspec.json.format(document, indent=2).encode() + b"\n"


def loaded(content: bytes, trusted: Sequence[PublicKey] = ()) -> Manifest:
    """Read a manifest's file; raise `InvalidExport` if it is no manifest.

    With trusted keys, one of them must have signed it. Without, signatures are not checked.
    """
    try:
        members = msgspec.json.decode(content, type=dict[str, Any])
        note = members.pop("note")
        manifest = msgspec.convert(members, Manifest)
    except (msgspec.MsgspecError, KeyError, ValueError, RecursionError) as error:
        raise InvalidExport(f"This is no manifest of an export: {error}.") from error
    if trusted:
        _check_signature(note, members, trusted)
    return manifest


def _check_signature(note: Any, members: dict[str, Any], trusted: Sequence[PublicKey]) -> None:
    if not isinstance(note, str):
        raise InvalidExport("The manifest is not signed, and checkpoint keys are configured.")
    try:
        text, _ = opened_note(note, trusted)
    except InvalidCheckpoint as error:
        raise InvalidExport(f"The manifest is not to be trusted: {error}.") from error
    if text != _canonical(members):
        raise InvalidExport("The manifest does not say what was signed.")


def _canonical(members: dict[str, Any]) -> str:
    return HEADING + msgspec.json.encode(members).decode() + "\n"
