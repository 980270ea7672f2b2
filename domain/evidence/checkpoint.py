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
    """The log's first `size` events have this root; the last of them has this position.

    A checkpoint that another program made may lack the position and the time.
    """

    origin: str
    size: int
    root: bytes
    position: int | None = None
    made_at: datetime | None = None

    @property
    def text(self) -> str:
        """The signed lines: origin, size, root, and two extensions."""
        lines = [self.origin, str(self.size), b64encode(self.root).decode()]
        if self.position is not None:
            lines.append(f"position {self.position}")
        if self.made_at is not None:
            lines.append(f"made-at {self.made_at.isoformat()}")
        return "\n".join(lines) + "\n"


def opened_checkpoint(note: str, keys: Iterable[PublicKey]) -> Checkpoint:
    """Return a checkpoint that a trusted key of the log itself has signed.

    Raises `InvalidCheckpoint`. A key's name is the origin of the checkpoints that it signs, so a
    key that is trusted for another log is not trusted for this one.
    """
    origin = note.split("\n", 1)[0]
    text, _ = opened_note(note, (key for key in keys if key.name == origin))
    return parse_checkpoint(text)


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the signed lines; raise `InvalidCheckpoint`.

    Lines after the third are extensions. Those that Milepost does not know are passed over, as
    C2SP's `tlog-checkpoint` says.
    """
    lines = text.removesuffix("\n").split("\n")
    try:
        origin, size, root, *extensions = lines
        checkpoint = Checkpoint(origin, int(size), b64decode(root, validate=True))
    except ValueError as error:
        raise InvalidCheckpoint("these are not the lines of a checkpoint") from error
    is_written_so = lines[:3] == checkpoint.text.split("\n")[:3] and text.endswith("\n")
    if not (is_written_so and all(lines)) or checkpoint.size < 0:
        raise InvalidCheckpoint("these are not the lines of a checkpoint")
    if len(checkpoint.root) != HASH_BYTES:
        raise InvalidCheckpoint("these are not the lines of a checkpoint")
    return _extended(checkpoint, extensions)


def _extended(checkpoint: Checkpoint, extensions: Iterable[str]) -> Checkpoint:
    known = dict(line.split(" ", 1) for line in extensions if " " in line)
    try:
        return msgspec.structs.replace(
            checkpoint,
            position=int(known["position"]),
            made_at=datetime.fromisoformat(known["made-at"]),
        )
    except (KeyError, ValueError):
        return checkpoint  # another program's
