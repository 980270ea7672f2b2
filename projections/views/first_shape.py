"""Reading documents of the first shape: lists show them until the rows have been rebuilt.

A document of that shape has one attempt, and its stop and rollback requests beside it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from domain.job.attempt.state import Attempt
from domain.job.runs.state import Runs
from projections.views.instance import Instance


class FirstShape(msgspec.Struct, frozen=True, gc=False):
    """The fields of a first document that later ones do not have."""

    attempt: Attempt | None = None
    stop_requested_at: datetime | None = None
    rollback_requested_at: datetime | None = None


_decoder: Final = msgspec.json.Decoder(FirstShape)
_NO_RUNS: Final = Runs()


def upgraded(instance: Instance, document: bytes) -> Instance:
    """Return the instance with the attempt of its document, if that has the first shape."""
    if instance.runs != _NO_RUNS:
        return instance
    first = _decoder.decode(document)
    if first.attempt is None:
        return instance
    attempt = msgspec.structs.replace(
        first.attempt,
        stop_requested_at=first.stop_requested_at,
        rollback_requested_at=first.rollback_requested_at,
    )
    return msgspec.structs.replace(instance, runs=Runs((attempt,), attempt.number))
