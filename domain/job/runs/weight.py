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
MACHINE_BYTES: Final = 80
"""Without its name."""
FEW_CHARACTERS: Final = 60
"""So short values of an attempt count with the attempt."""
FORGOTTEN_BYTES: Final = 70


def weight_of(runs: Runs) -> int:
    """Return about how many bytes these attempts take."""
    weight = FORGOTTEN_BYTES * len(runs.forgotten)
    for attempt in runs.attempts:
        weight += ATTEMPT_BYTES + STEP_BYTES * len(attempt.steps)
        if len(attempt.steps) > FEW_STEPS:
            weight += sum(map(getsizeof, attempt.steps)) - NAME_BYTES * len(attempt.steps)
        for machine in attempt.machines:
            weight += MACHINE_BYTES + getsizeof(machine.server_id)
        if final := attempt.final:
            for text in (final.error, final.step, final.failed_step):
                if text:
                    weight += getsizeof(text)
        for word in (attempt.run_id, attempt.server_id, attempt.server_ip, attempt.tailscale_ip):
            if word and len(word.value) > FEW_CHARACTERS:
                weight += getsizeof(word.value)
    return weight
