"""An operator's command about a job, from a program or from a page: the same rules for both."""

from __future__ import annotations

from api.http.counting.counters import counted
from api.tokens import Principal
from api.wiring import Services
from domain.job.runs.orders import Order
from domain.writing.batch import Receipt


def give_order(
    name: Order,
    job_id: str,
    services: Services,
    caller: Principal,
    *,
    reason: str | None,
    server_id: str | None,
    version: int | None = None,
) -> Receipt:
    """Give the order in the caller's name, and count it; see `Milepost.order`.

    The caller must be known to see the job.
    """
    with counted(name) as count:
        receipt = services.milepost.order(
            name,
            job_id,
            requested_by=caller.name,
            token_id=caller.token_id,
            reason=reason or None,
            server_id=server_id or None,
            version=version,
        )
        count(receipt)
    return receipt
