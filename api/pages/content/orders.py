"""Orders as a page offers them: those that would change the job now, each with what it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from api.pages.words import cut
from domain.job.runs.orders import Order, machines_left, possible
from domain.unseen import visible
from domain.workflows.definition import Workflows
from projections.views.instance import Instance
from projections.views.reasons import Kind, Reason


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
ABOUT_A_TIMEOUT: Final[Mapping[Order, str]] = {
    "cancel": "Says that nobody wants the job any more. Its end becomes yours, and no late word of "
    "the workflow takes it back. Milepost cannot cancel the workflow's run: cancel that, too.",
    "fail": "The end becomes yours: no late word of the workflow takes it back. Until then, the "
    "job is timed out because Milepost heard nothing, and a late word may still go on with it.",
    "retry": "Leaves this attempt timed out, and opens the next one, which waits for its workflow. "
    "Milepost starts no workflow: dispatch it, too.",
}
"""What an order changes about a job that has timed out."""
REMEDIES: Final[Mapping[Kind, Order]] = {
    "machine_left": "stopped",
    "stopping": "stopped",
    "refused": "fail",
    "unresponsive": "fail",
    "late": "fail",
    "pending": "cancel",
}
"""The order that ends a reason why a job needs somebody, unless the reason ends by itself.

None ends `machine_shared`: nobody should remove a machine that another job uses."""
MOST_NAMED: Final = 5
MOST_OF_A_NAME: Final = 40
"""A machine's id is cut to this many characters on a button, and in a list of several."""
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
    if job.runs.working is None and job.attempt.outcome == "timed_out":
        found = [
            msgspec.structs.replace(each, about=ABOUT_A_TIMEOUT.get(each.name, each.about))
            for each in found
        ]
    machines = list(dict.fromkeys(name for _, name in machines_left(job.runs)))
    return [_about(machines, each) if each.name == "stopped" else each for each in found]


def remedies(reasons: Sequence[Reason], offered: Sequence[Offer]) -> list[Offer]:
    """Return the offered orders that end a reason, in the order of the reasons."""
    names = dict.fromkeys(REMEDIES[kind] for reason in reasons if (kind := reason.kind) in REMEDIES)
    by_name = {offer.name: offer for offer in offered}
    return [by_name[name] for name in names if name in by_name]


def _about(machines: Sequence[str | None], offer: Offer) -> Offer:
    """Return the order that confirms a removal, with the names of the machines it may mean."""
    named = [name for name in machines if name]
    if len(machines) > 1:
        shown = [_short(name) for name in named[:MOST_NAMED]]
        if more := len(machines) - len(shown):
            shown.append(f"{more} more")
        which = f"the machine you choose is gone, {', '.join(shown[:-1])} or {shown[-1]}"
        label = f"One of {len(machines)} machines is gone"
    elif named:
        which = f"the machine {visible(named[0])} is gone"
        label = f"Machine {_short(named[0])} is gone"
    else:
        which, label = "the machine, which told no id, is gone", offer.label
    return msgspec.structs.replace(
        offer,
        label=label,
        about=offer.about.replace("the machine is gone", which),
        machines=tuple(named) if len(machines) > 1 else (),
    )


def _short(name: str) -> str:
    return cut(visible(name), MOST_OF_A_NAME)
