"""Orders as a page offers them: those that would change the job now, each with what it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from domain.job.runs.orders import Order, machines_left, possible
from domain.workflows.definition import Workflows
from projections.views.instance import Instance


class Offer(msgspec.Struct, frozen=True):
    """An order as a page offers it.

    `name` is the order, `label` what the button says, `about` what it does and what it does not do.
    `machines` are the machines of which one has to be named; empty if there is no choice.
    """

    name: Order
    label: str
    about: str
    confirm: str
    machines: Sequence[str] = ()


OFFERS: Final = {
    offer.name: offer
    for offer in (
        Offer(
            "cancel",
            "Cancel",
            "Ends the attempt in progress, because nobody wants its result. Milepost cannot cancel "
            "the workflow's run: cancel that, too.",
            "Cancel this job",
        ),
        Offer(
            "fail",
            "Mark as failed",
            "Ends the attempt in progress as failed, for example because its workflow is dead. A "
            "later callback of that run does not change this.",
            "Mark this job as failed",
        ),
        Offer(
            "retry",
            "Retry",
            "Opens the next attempt, which waits for its workflow. Milepost starts no workflow: "
            "dispatch it, too.",
            "Open the next attempt",
        ),
        Offer(
            "stop",
            "Stop",
            "Asks for the running machine to be stopped. The job is stopping until somebody "
            "confirms that the machine is gone.",
            "Ask it to stop",
        ),
        Offer(
            "stopped",
            "Machine is gone",
            "Confirms that the machine is gone: that it was removed, and costs nothing any more. "
            "Nothing takes this back.",
            "Confirm that it is gone",
        ),
    )
}
"""Every order, as it is offered."""
DONE: Final = {
    "cancel": "The job is cancelled.",
    "fail": "The job is marked as failed.",
    "retry": "The next attempt is open. Dispatch the workflow now.",
    "stop": "The job is asked to stop.",
    "stopped": "The machine is confirmed as gone.",
}
"""What a page says once an order was followed."""
SO_ALREADY: Final = "Nothing has changed: it was so already."


def offers(job: Instance, workflows: Workflows) -> list[Offer]:
    """Return the orders that would change the job now."""
    allowed = workflows.recorded(job.workflow).max_retries
    found = [OFFERS[name] for name in possible(job.runs, allowed)]
    machines = dict.fromkeys(name for _, name in machines_left(job.runs) if name)
    if len(machines) < 2:
        return found
    return [
        msgspec.structs.replace(each, machines=tuple(machines)) if each.name == "stopped" else each
        for each in found
    ]
