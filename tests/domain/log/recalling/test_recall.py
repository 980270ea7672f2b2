"""Recalling: a job whose events cannot be read costs the log few lines."""

from __future__ import annotations

import pytest
from eventsourcing.persistence import JSONTranscoder

from domain.few_lines import PER_MINUTE
from domain.job.provisioning_job import ProvisioningJob
from domain.log.mapper import JobEventMapper
from domain.log.recalling.recall import Folded, fold
from domain.log.stored import Stored


def test_a_job_with_many_events_that_cannot_be_read_leaves_few_lines(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """They are read again whenever the job is not cached, and any callback may cause that."""
    events = [Stored(each, "job-1", each, "OfALaterRelease", b"{}") for each in range(1, 101)]

    folded = fold(Folded(ProvisioningJob("job-1")), events, JobEventMapper(JSONTranscoder()))

    assert (folded.job.version, folded.whole) == (100, False)
    # Other tests may have used up the lines of this minute.
    assert len(caplog.records) <= PER_MINUTE + 1
