"""A manifest to compare others with."""

from __future__ import annotations

from domain.transfer.manifest import Manifest, Root
from tests.support.stores.deployment import NOON

MANIFEST = Manifest(
    format="jsonl",
    format_version=1,
    milepost_version="0.1.0",
    made_at=NOON,
    complete=True,
    filters={},
    first_position=1,
    last_position=9,
    events=8,
    jobs=2,
    length=4711,
    sha256="ab" * 32,
    sealed=False,
    decrypted=False,
    decompressed=False,
    merkle=Root(8, b"r" * 32),
    signed=False,
)
