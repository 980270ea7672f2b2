"""Which keys sign what is exported, and whose signatures are trusted in what is imported."""

from __future__ import annotations

from collections.abc import Sequence

from api.config import Settings
from domain.checkpoints import PrivateKey, PublicKey


def signing_keys(settings: Settings) -> Sequence[PrivateKey]:
    """Return the checkpoint keys that are configured."""
    return ()


def trusted_keys(settings: Settings) -> Sequence[PublicKey]:
    """Return the keys that manifests must be signed by; none if anybody's will do."""
    return ()
