"""Checkpoints: how far the log goes and its root hash, signed, to be kept where nobody can edit.

The text is C2SP's `tlog-checkpoint`, its signatures and keys are C2SP's `signed-note` with Ed25519,
so that tools which know nothing of Milepost can check them.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from domain.errors import MilepostError
from domain.evidence.merkle import HASH_BYTES

ED25519 = b"\x01"
"""The byte that says so, before a key and in what its id is the hash of."""
KEY_ID_BYTES = 4
PRIVATE = "PRIVATE+KEY+"


class InvalidKey(MilepostError):
    """A checkpoint key cannot be read; the message says what is wrong, and nothing of the key."""


class InvalidCheckpoint(MilepostError):
    """A checkpoint cannot be read, or nobody trusted has signed it."""


class Checkpoint(msgspec.Struct, frozen=True):
    """The log's first `size` events have this root; the last of them has this position."""

    origin: str
    size: int
    root: bytes
    position: int
    made_at: datetime

    @property
    def text(self) -> str:
        """The lines that are signed: origin, size, root, and two extensions."""
        root, made = b64encode(self.root).decode(), self.made_at.isoformat()
        return f"{self.origin}\n{self.size}\n{root}\nposition {self.position}\nmade-at {made}\n"


class PublicKey:
    """A named key that signatures are checked with, written `name+id+key`."""

    def __init__(self, name: str, key: Ed25519PublicKey) -> None:
        self.name = name
        self._key = key
        self._raw = key.public_bytes_raw()
        self.id = sha256(name.encode() + b"\n" + ED25519 + self._raw).digest()[:KEY_ID_BYTES]

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        """Read a key; raise `InvalidKey`."""
        name, key_id, raw = _parts(text)
        try:
            found = cls(name, Ed25519PublicKey.from_public_bytes(raw))
        except ValueError as error:
            raise InvalidKey("a checkpoint key has 32 bytes") from error
        if found.id.hex() != key_id:
            raise InvalidKey("the checkpoint key's id is not that of its name and bytes")
        return found

    def __str__(self) -> str:
        return _written(self.name, self.id, self._raw)

    def signed(self, text: str, signature: bytes) -> bool:
        """Tell whether this key made the signature under that text."""
        try:
            self._key.verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


class PrivateKey:
    """A named key that signs, written `PRIVATE+KEY+name+id+seed`."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(name, key.public_key())

    @classmethod
    def generate(cls, name: str) -> PrivateKey:
        """Make a new key; raise `InvalidKey` for a name that none can have."""
        return cls(checked_name(name), Ed25519PrivateKey.generate())

    @classmethod
    def parse(cls, text: str) -> PrivateKey:
        """Read a key; raise `InvalidKey`."""
        if not text.startswith(PRIVATE):
            raise InvalidKey(f"a private checkpoint key starts with {PRIVATE}")
        name, key_id, raw = _parts(text.removeprefix(PRIVATE))
        try:
            found = cls(name, Ed25519PrivateKey.from_private_bytes(raw))
        except ValueError as error:
            raise InvalidKey("a checkpoint key has 32 bytes") from error
        if found.public.id.hex() != key_id:
            raise InvalidKey("the checkpoint key's id is not that of its name and bytes")
        return found

    @property
    def name(self) -> str:
        """The name of the key, which is the origin of what it signs."""
        return self.public.name

    def secret(self) -> str:
        """Return the key to store; it is no `str()`, so that no log shows it."""
        return PRIVATE + _written(self.name, self.public.id, self._key.private_bytes_raw())

    def sign(self, text: str) -> str:
        """Return the signature line under the text."""
        signature = b64encode(self.public.id + self._key.sign(text.encode())).decode()
        return f"\u2014 {self.name} {signature}\n"


def checked_name(name: str) -> str:
    """Return the name; raise `InvalidKey` unless it has something, and no space or plus."""
    if not name or "+" in name or any(char.isspace() or not char.isprintable() for char in name):
        raise InvalidKey("a checkpoint key's name has no spaces and no +")
    return name


def signed_note(text: str, keys: Iterable[PrivateKey]) -> str:
    """Return the text and a signature by each key."""
    return f"{text}\n{''.join(key.sign(text) for key in keys)}"


def opened_note(note: str, keys: Iterable[PublicKey]) -> tuple[str, PublicKey]:
    """Return the text of a signed note and a trusted key that signed it.

    Raises `InvalidCheckpoint` if none did, or a trusted key's signature is wrong.
    """
    text, blank, signatures = note.rpartition("\n\n")
    if not blank:
        raise InvalidCheckpoint("there is no signature under the checkpoint")
    text += "\n"
    trusted = {(key.name, key.id): key for key in keys}
    signer: PublicKey | None = None
    unknown: list[str] = []
    for line in signatures.splitlines():
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


def opened_checkpoint(note: str, keys: Iterable[PublicKey]) -> Checkpoint:
    """Return a checkpoint that a trusted key of the log itself has signed.

    Raises `InvalidCheckpoint`. A key's name is the origin of what it signs; so one that is trusted
    for another log is not for this one.
    """
    origin = note.split("\n", 1)[0]
    text, _ = opened_note(note, (key for key in keys if key.name == origin))
    return parse_checkpoint(text)


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the lines that are signed; raise `InvalidCheckpoint`."""
    lines = text.removesuffix("\n").split("\n")
    try:
        origin, size, root, *extensions = lines
        told = dict(line.split(" ", 1) for line in extensions)
        checkpoint = Checkpoint(
            origin,
            int(size),
            b64decode(root, validate=True),
            int(told["position"]),
            datetime.fromisoformat(told["made-at"]),
        )
    except (ValueError, KeyError) as error:
        raise InvalidCheckpoint("these are not the lines of a checkpoint") from error
    if checkpoint.text != text or checkpoint.size < 0 or len(checkpoint.root) != HASH_BYTES:
        raise InvalidCheckpoint("these are not the lines of a checkpoint")
    return checkpoint


def _written(name: str, key_id: bytes, raw: bytes) -> str:
    return f"{name}+{key_id.hex()}+{b64encode(ED25519 + raw).decode()}"


def _parts(text: str) -> tuple[str, str, bytes]:
    # Base64 has a plus in its alphabet, a name and an id have none.
    try:
        name, key_id, encoded = text.strip().split("+", 2)
        raw = b64decode(encoded, validate=True)
    except (ValueError, binascii.Error) as error:
        raise InvalidKey("a checkpoint key is written name+id+key") from error
    if raw[:1] != ED25519:
        raise InvalidKey("a checkpoint key is an Ed25519 key")
    return checked_name(name), key_id, raw[1:]


def _signature(line: str) -> tuple[str, bytes, bytes]:
    try:
        dash, name, encoded = line.split(" ")
        raw = b64decode(encoded, validate=True)
    except (ValueError, binascii.Error) as error:
        raise InvalidCheckpoint("a signature line is written \u2014 name base64") from error
    if dash != "\u2014" or len(raw) <= KEY_ID_BYTES:
        raise InvalidCheckpoint("a signature line is written \u2014 name base64")
    return name, raw[:KEY_ID_BYTES], raw[KEY_ID_BYTES:]
