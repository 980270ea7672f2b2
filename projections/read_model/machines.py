"""Which jobs work or run on a machine: the one thing that rows of several jobs are asked about.

A row has a digest of the machine's id: an id may be long or hold characters that PostgreSQL does
not store.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from hashlib import sha256

import msgspec

MOST_USES = 2
"""How many jobs are named of one machine at most: the job that asks may be one of them."""


class MachineRow(msgspec.Struct, frozen=True, gc=False, order=True):
    """A job works or runs on the machine with this digest."""

    machine: str
    job_id: str


class MachineUse(msgspec.Struct, frozen=True, gc=False):
    """A job that works or runs on a machine, and the user that it belongs to."""

    machine: str
    job_id: str
    user_id: str | None


class MachineUses(msgspec.Struct, frozen=True, gc=False):
    """The jobs of some machines as of a position of the read model."""

    position: int
    uses: Sequence[MachineUse]


def digest_of(server_id: str) -> str:
    """Return the digest of a machine's id."""
    # A callback's JSON may have half a character.
    return sha256(server_id.encode(errors="surrogatepass")).hexdigest()[:32]


def machine_rows(job_id: str, machines: Collection[str]) -> list[MachineRow]:
    """Return the rows of a job that works or runs on these machines, in order."""
    return sorted(MachineRow(digest_of(server_id), job_id) for server_id in machines)
