"""Events as lines of JSON, from which the exact stored bytes can be restored."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Annotated, Any

import msgspec

from domain.errors import MilepostError
from domain.log.mapper import JobEventMapper
from domain.log.stored import Stored
from domain.unseen import UNSEEN, escaped_json

FORMAT, FORMAT_VERSION = "jsonl", 1
MAX_LINE_BYTES = 16 * 2**20
"""The longest line that a reader accepts, in bytes. No event is that long."""

Number = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
Text = Annotated[str, msgspec.Meta(min_length=1, pattern=r"^[^\x00]*$")]


class InvalidExport(MilepostError):
    """What should be imported is not an export, not all of it, or not as it was written."""


class CannotOpen(MilepostError):
    """A stored event cannot be decrypted or decompressed with the present settings."""


class Portable(msgspec.Struct, frozen=True):
    """An event with its place and bytes. If `sealed`, they are encrypted or compressed."""

    position: int
    job_id: str
    version: int
    topic: str
    state: bytes
    sealed: bool = False


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    position: Number
    job_id: Text
    version: Number
    topic: Text
    state: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    state_base64: str | msgspec.UnsetType = msgspec.UNSET
    sealed_base64: str | msgspec.UnsetType = msgspec.UNSET


_decoder = msgspec.json.Decoder(_Line)
_encoder = msgspec.json.Encoder()


def unsealed(stored: Stored, mapper: JobEventMapper) -> Portable:
    """Return a stored event, decrypted and decompressed; raise `CannotOpen`."""
    try:
        plain = mapper.unseal(stored.state)
    except Exception as error:  # a cipher or a compressor may raise what it likes
        raise CannotOpen(
            f"The event at position {stored.position} cannot be opened with this CIPHER_KEY and "
            f"COMPRESSOR_TOPIC: {error or type(error).__name__}."
        ) from error
    return _portable(stored, plain, sealed=False)


def as_stored(stored: Stored, mapper: JobEventMapper) -> Portable:
    """Return a stored event with its stored bytes. It is sealed if the mapper seals."""
    return _portable(stored, stored.state, sealed=mapper.seals)


def _portable(stored: Stored, state: bytes, *, sealed: bool) -> Portable:
    job_id = str(stored.job_id)
    return Portable(stored.position, job_id, stored.version, stored.topic, bytes(state), sealed)


def encode(event: Portable) -> bytes:
    """Return the line of an event, with its newline. It has no unseen character.

    A state with an unseen character goes into base64: with an escape in its place, the line would
    give back other bytes than those that were hashed.
    """
    line = _Line(event.position, event.job_id, event.version, event.topic)
    if event.sealed:
        line.sealed_base64 = b64encode(event.state).decode()
    elif _is_plain(event.state):
        line.state = msgspec.Raw(event.state)
    else:
        line.state_base64 = b64encode(event.state).decode()
    encoded = _encoder.encode(line)
    if not _is_seen(encoded):
        encoded = escaped_json(encoded.decode()).encode()
    return encoded + b"\n"


def decode(line: bytes) -> Portable:
    """Return the event of a line; raise `InvalidExport`, which says what is wrong."""
    if not line.endswith(b"\n"):
        raise InvalidExport("it has no end, or is longer than an event can be")
    try:
        line.decode()  # inlined JSON is not decoded below, so check here that it is UTF-8
        read = _decoder.decode(line)
        state, sealed = _state(read)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InvalidExport(str(error)) from error
    return Portable(read.position, read.job_id, read.version, read.topic, state, sealed)


def _state(line: _Line) -> tuple[bytes, bool]:
    given: list[Any] = [
        value
        for value in (line.state, line.state_base64, line.sealed_base64)
        if value is not msgspec.UNSET
    ]
    if len(given) != 1:
        raise InvalidExport("an event has one of state, state_base64 and sealed_base64")
    if isinstance(line.state, msgspec.Raw):
        return bytes(line.state), False
    return b64decode(given[0], validate=True), line.sealed_base64 is not msgspec.UNSET


def _is_plain(state: bytes) -> bool:
    """Tell whether these bytes are compact JSON as our encoder writes it, and all can be seen."""
    try:
        return msgspec.json.encode(msgspec.json.decode(state)) == state and _is_seen(state)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False


def _is_seen(encoded: bytes) -> bool:
    if encoded.isascii() and b"\x7f" not in encoded:
        return True  # an encoder escapes other control characters
    return not UNSEEN.search(encoded.decode())
