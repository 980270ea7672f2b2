"""The key of each job, derived from one secret, so that no table of keys can leak."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from api.senders.signing_key import SigningKey
from domain.job.mandate import Mandate

KIND: Final = "job-key:"
"""What the name of a job's key begins with."""
KEY_BYTES: Final = 32
REMEMBERED: Final = 2048
"""The keys of this many jobs stay in memory, about 4 MB: deriving one takes about 20 µs."""


class JobKeys:
    """Derives the keys of jobs from the job key secrets, of which the first one is the newest."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = tuple(secrets)
        # Bounded, because anybody can ask for the keys of jobs that do not exist.
        self.of = lru_cache(REMEMBERED)(self._of)

    def _of(self, job_id: str) -> tuple[SigningKey, ...]:
        """Return the keys of a job, the newest one first."""
        mandate = Mandate(job_id=job_id)
        return tuple(
            SigningKey(job_key(secret, job_id), mandate, kind=KIND, root=secret)
            for secret in self._secrets
        )


def job_key(secret: str, job_id: str) -> str:
    """Return a job's key by HKDF-SHA256 (RFC 5869), as Standard Webhooks write keys."""
    derive = HKDF(SHA256(), KEY_BYTES, salt=b"milepost job key", info=job_id.encode())
    return f"whsec_{base64.b64encode(derive.derive(secret.encode())).decode()}"
