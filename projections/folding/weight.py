"""The weight of a job's folded views: about how many bytes of memory they take."""

from __future__ import annotations

from sys import getsizeof
from typing import Final

from domain.job.runs.weight import NAME_BYTES, STEP_BYTES, weight_of
from projections.folding.job_fold import Folded

VIEWS_BYTES: Final = 2_500
"""Both views of a job beside their attempts, with their place in a cache."""
GAP_BYTES: Final = 200


def weight(states: Folded) -> int:
    """Return about how many bytes both views of a job take."""
    instance, timeline = states
    chapters = 0
    for chapter in timeline.chapters.values():
        chapters += GAP_BYTES * (1 + len(chapter.gaps))
        if chapter.late:
            chapters += sum(STEP_BYTES - NAME_BYTES + getsizeof(name) for name in chapter.late)
    runs = weight_of(instance.runs)
    if timeline.runs is not instance.runs:  # almost always, both views hold the same attempts
        runs += weight_of(timeline.runs)
    return VIEWS_BYTES + runs + chapters
