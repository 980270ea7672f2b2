"""Checkpoints: the log's size and root hash, signed and stored where nobody can edit them.

The text is C2SP's `tlog-checkpoint` in a `signed-note`, so that tools which know nothing of
Milepost can check it.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable
from datetime import datetime

import msgspec

from domain.evidence.merkle import HASH_BYTES
from domain.evidence.signed_note import InvalidCheckpoint, opened_note
from domain.evidence.signing_keys import PublicKey


class Checkpoint(msgspec.Struct, frozen=True):
    """The log's first `size` events have this root; the last of them has this position."""

    origin: str
    size: int
    root: bytes
    position: int
    made_at: datetime

    @property
    def text(self) -> str:
        """The signed lines: origin, size, root, and two extensions."""
        root, made = b64encode(self.root).decode(), self.made_at.isoformat()
        return f"{self.origin}\n{self.size}\n{root}\nposition {self.position}\nmade-at {made}\n"


def opened_checkpoint(note: str, keys: Iterable[PublicKey]) -> Checkpoint:
    """Return a checkpoint that a trusted key of the log itself has signed.

    Raises `InvalidCheckpoint`. A key's name is the origin of the checkpoints that it signs, so a
    key that is trusted for another log is not trusted for this one.
    """
    origin = note.split("\n", 1)[0]
    text, _ = opened_note(note, (key for key in keys if key.name == origin))
    return parse_checkpoint(text)


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the signed lines; raise `InvalidCheckpoint`."""
    lines = text.removesuffix("\n").split("\n")
    try:
        origin, size, root, *extensions = lines
        extension = dict(line.split(" ", 1) for line in extensions)
        checkpoint = Checkpoint(
            origin,
            int(size),
            b64decode(root, validate=True),
            int(extension["position"]),
            datetime.fromisoformat(extension["made-at"]),
        )
    except (ValueError, KeyError) as error:
        raise InvalidCheckpoint("these are not the lines of a checkpoint") from error
    if checkpoint.text != text or checkpoint.size < 0 or len(checkpoint.root) != HASH_BYTES:
        raise InvalidCheckpoint("these are not the lines of a checkpoint")
    return checkpoint
