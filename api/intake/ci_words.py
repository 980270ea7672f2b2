"""Words of CI systems for a status: which status of Milepost their sender may mean.

They are refused, and not taken: a workflow that reports the `success` of its first job does not say
that the machine runs. Sources: job and step results of GitHub Actions, GitLab CI, Jenkins, Azure
Pipelines, Buildkite, CircleCI, Argo, AWX and Terraform, and states of machines in clouds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from domain.job.callback import STATUSES, Status
from domain.job.spelling import MAX_LENGTH, bare, closest

MEANT: Final[dict[str, tuple[Status, ...]]] = {
    **dict.fromkeys(
        ("success", "succeeded", "successful", "passed", "ok", "applied"), ("running",)
    ),
    # A run that is completed may have failed, and one that is unstable has made a machine.
    **dict.fromkeys(
        ("completed", "complete", "finished", "done", "unstable", "neutral"), ("running", "failed")
    ),
    **dict.fromkeys(("partiallysucceeded", "succeededwithissues"), ("running", "failed")),
    **dict.fromkeys(
        ("failure", "fail", "error", "errored", "timedout", "timeout", "unsuccessful"), ("failed",)
    ),
    **dict.fromkeys(("unreachable", "broken", "policysoftfailed", "startupfailure"), ("failed",)),
    **dict.fromkeys(
        ("inprogress", "started", "starting", "active", "building", "pending", "queued"),
        ("provisioning",),
    ),
    **dict.fromkeys(
        ("waiting", "requested", "scheduled", "preparing", "created", "planning", "applying"),
        ("provisioning",),
    ),
    **dict.fromkeys(("canceled", "aborted", "killed", "skipped", "abandoned"), ("cancelled",)),
    **dict.fromkeys(("canceling", "cancelling", "discarded", "notbuilt"), ("cancelled",)),
    **dict.fromkeys(("terminated", "destroyed", "deleted", "removed"), ("stopped",)),
    **dict.fromkeys(("ready", "healthy", "available", "online", "up"), ("running",)),
    **dict.fromkeys(("unhealthy", "crashed"), ("failed",)),
    # Who has to approve a run keeps it waiting.
    **dict.fromkeys(("actionrequired", "planned", "blocked"), ("provisioning",)),
    **dict.fromkeys(("booting", "launching", "initializing", "rebooting"), ("provisioning",)),
    **dict.fromkeys(("shutdown", "poweredoff", "off", "deallocated"), ("stopped",)),
}
"""The statuses that a word may mean, by the word without case and separators."""


def meant(word: str) -> Sequence[Status]:
    """Return the statuses that an unknown word may mean, the likeliest first."""
    if len(word) > MAX_LENGTH:
        return ()
    if known := closest(word, STATUSES):
        return [status for status in STATUSES if status == known]
    return MEANT.get(bare(word), ())
