"""Registering a job: the command, and to whom the answer shows the key for its callbacks."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import uuid4

import msgspec

from api.tokens import Principal
from api.wiring import Services
from domain.job.commands.registration import QueueJob
from domain.writing.batch import Receipt


def queue(body: dict[str, Any], key: str | None, caller: Principal, services: Services) -> Receipt:
    """Queue the job that a registration describes; `key` is its Idempotency-Key."""
    # The digest is of the request itself: a later release may have another default workflow.
    digest = hashlib.sha256(msgspec.json.encode(body, order="sorted"))
    workflow = services.workflows.find(body.pop("workflow", None))
    services.definitions.note(workflow)
    return services.milepost.queue(
        QueueJob(
            **{"job_id": str(uuid4()), **body},
            workflow=workflow.ref,
            workflow_digest=workflow.digest,
            idempotency_key=key,
            digest=digest.hexdigest(),
            requested_by=caller.name,
            token_id=caller.token_id,
            owner=caller.user_id,
        )
    )


def key_shown(receipt: Receipt, caller: Principal, services: Services) -> str | None:
    """Return the key of the job's callbacks, if this answer may show it.

    A repeated registration shows it to the token that registered the job, and to no other.
    """
    if receipt.duplicate and not _registered(receipt.job_id, caller, services):
        return None
    return services.senders.key_of(receipt.job_id)


def _registered(job_id: str, caller: Principal, services: Services) -> bool:
    queued = services.milepost.find(job_id).queued
    return (
        queued is not None
        and (queued.requested_by, queued.owner) == (caller.name, caller.user_id)
        # Several tokens may have one name. An earlier release did not record which one asked.
        and queued.token_id in (None, caller.token_id)
    )
