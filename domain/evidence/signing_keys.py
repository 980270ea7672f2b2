"""Named Ed25519 keys that sign notes, written as C2SP's `signed-note` has them."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from domain.errors import MilepostError

ED25519 = b"\x01"
"""The algorithm byte of Ed25519. It precedes the key, also in the data whose hash is its id."""
KEY_ID_BYTES = 4
PRIVATE = "PRIVATE+KEY+"
NAMELESS = "milepost"
"""The name of every key that Milepost makes itself: it tells no log from another.

Such a key signs under the origin of the log, too.
"""


class InvalidKey(MilepostError):
    """A checkpoint key cannot be read; the message says what is wrong, and nothing of the key."""


class PublicKey:
    """A named key that checks signatures, written `name+id+key`."""

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

    def named(self, name: str) -> PublicKey:
        """Return a key of the same bytes with another name, and so with another id."""
        return PublicKey(name, self._key)

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
        """Make a new key; raise `InvalidKey` for a name that no key can have."""
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
        """The name of the key, which is the origin of the checkpoints that it signs."""
        return self.public.name

    def named(self, name: str) -> PrivateKey:
        """Return a key of the same bytes with another name, and so with another id."""
        return PrivateKey(name, self._key)

    def secret(self) -> str:
        """Return the key as text to store. This is not `str()`, so that no log shows it."""
        return PRIVATE + _written(self.name, self.public.id, self._key.private_bytes_raw())

    def sign(self, text: str) -> str:
        """Return the signature line under the text."""
        signature = b64encode(self.public.id + self._key.sign(text.encode())).decode()
        return f"\u2014 {self.name} {signature}\n"


def checked_name(name: str) -> str:
    """Return the name; raise `InvalidKey` if it is empty, not printable, or has a space or plus."""
    if not name or "+" in name or any(char.isspace() or not char.isprintable() for char in name):
        raise InvalidKey("a checkpoint key's name has no spaces and no +")
    return name


def _written(name: str, key_id: bytes, raw: bytes) -> str:
    return f"{name}+{key_id.hex()}+{b64encode(ED25519 + raw).decode()}"


def _parts(text: str) -> tuple[str, str, bytes]:
    # The base64 part may contain a plus; the name and the id cannot, so split twice at most.
    try:
        name, key_id, encoded = text.strip().split("+", 2)
        raw = b64decode(encoded, validate=True)
    except (ValueError, binascii.Error) as error:
        raise InvalidKey("a checkpoint key is written name+id+key") from error
    if raw[:1] != ED25519:
        raise InvalidKey("a checkpoint key is an Ed25519 key")
    return checked_name(name), key_id, raw[1:]
