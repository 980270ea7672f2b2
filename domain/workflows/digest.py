"""The digest of a definition: whether it still says what it said when a job was registered."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec

SHOWN_ONLY_HERE: Final = frozenset({"default", "description"})
"""Fields that change nothing of a job that is registered already."""
CHARACTERS: Final = 16


def digest_of(definition: msgspec.Struct) -> str:
    """Return the first 64 bits, in hex, of the SHA-256 of what a definition says.

    A field with its default counts as absent, so that a field which a later release adds changes no
    digest. Comments, the order of keys and the file's name do not count.
    """
    said = msgspec.json.encode(_said(definition), order="deterministic")
    return hashlib.sha256(said).hexdigest()[:CHARACTERS]


def _said(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return {
            field.name: _said(getattr(value, field.name))
            for field in msgspec.structs.fields(value)
            if field.name not in SHOWN_ONLY_HERE and getattr(value, field.name) != field.default
        }
    return [_said(each) for each in value] if isinstance(value, tuple) else value
