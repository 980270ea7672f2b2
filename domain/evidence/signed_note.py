"""Signed notes: a text with signature lines under it (C2SP's `signed-note`)."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterable

from domain.errors import MilepostError
from domain.evidence.signing_keys import KEY_ID_BYTES, PrivateKey, PublicKey


class InvalidCheckpoint(MilepostError):
    """A checkpoint cannot be read, or nobody trusted has signed it."""


def signed_note(text: str, keys: Iterable[PrivateKey]) -> str:
    """Return the text and a signature by each key."""
    return f"{text}\n{''.join(key.sign(text) for key in keys)}"


def opened_note(note: str, keys: Iterable[PublicKey]) -> tuple[str, PublicKey]:
    """Return the text of a signed note and a trusted key that signed it.

    Raises `InvalidCheckpoint` if no trusted key signed it or a trusted key's signature is wrong.
    """
    text, blank, signatures = note.rpartition("\n\n")
    if not blank:
        raise InvalidCheckpoint("there is no signature under the checkpoint")
    text += "\n"
    trusted = {(key.name, key.id): key for key in keys}
    signer: PublicKey | None = None
    unknown: list[str] = []
    for line in filter(None, signatures.split("\n")):
        name, key_id, signature = _signature(line)
        key = trusted.get((name, key_id))
        if key is None:
            unknown.append(f"{name}+{key_id.hex()}")
        elif not key.signed(text, signature):
            raise InvalidCheckpoint(f"the signature of {name}+{key_id.hex()} is wrong")
        else:
            signer = signer or key
    if signer is None:
        raise InvalidCheckpoint(f"signed by {', '.join(unknown) or 'nobody'}, not by a trusted key")
    return text, signer


def _signature(line: str) -> tuple[str, bytes, bytes]:
    try:
        dash, name, encoded = line.split(" ")
        raw = b64decode(encoded, validate=True)
    except (ValueError, binascii.Error) as error:
        raise InvalidCheckpoint("a signature line is written \u2014 name base64") from error
    if dash != "\u2014" or len(raw) <= KEY_ID_BYTES:
        raise InvalidCheckpoint("a signature line is written \u2014 name base64")
    return name, raw[:KEY_ID_BYTES], raw[KEY_ID_BYTES:]
