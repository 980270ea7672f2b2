"""The weight of a job's attempts: about how many bytes of memory they take.

It is counted, not measured, and takes about as long for a job with many events as for a new one.
"""

from __future__ import annotations

from sys import getsizeof
from typing import Final

from domain.job.runs.state import Runs

ATTEMPT_BYTES: Final = 650
STEP_BYTES: Final = 250
"""With a name of about `NAME_BYTES`."""
NAME_BYTES: Final = 60
FEW_STEPS: Final = 20
"""Of so few steps, the names are not measured: few attempts have more."""
MACHINE_BYTES: Final = 130
"""Without its name."""
FORGOTTEN_BYTES: Final = 70


def weight_of(runs: Runs) -> int:
    """Return about how many bytes these attempts take."""
    weight = FORGOTTEN_BYTES * len(runs.forgotten)
    for attempt in runs.attempts:
        weight += ATTEMPT_BYTES + STEP_BYTES * len(attempt.steps)
        if len(attempt.steps) > FEW_STEPS:
            weight += sum(map(getsizeof, attempt.steps)) - NAME_BYTES * len(attempt.steps)
        weight += sum(MACHINE_BYTES + len(each.server_id) for each in attempt.machines)
        if attempt.final and attempt.final.error:
            weight += getsizeof(attempt.final.error)
    return weight
