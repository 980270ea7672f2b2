"""Rows of the read model that are not what their jobs' events come to, as findings."""

from __future__ import annotations

from collections.abc import Iterator

from projections.comparing.rows import RowDifference
from projections.verification.findings import Finding, shortened


def row_findings(difference: RowDifference) -> Iterator[Finding]:
    """Say what is wrong with a row: a finding for each column and part of the document."""
    view, actual = difference.view, difference.actual
    if difference.expected is None:
        yield _finding(difference, f"events of this job, since {view} has a row of it", "none")
    elif actual is None:
        yield _finding(difference, f"{view} row one, as the events have it", "none")
    else:
        for name, value in difference.expected.items():
            expected = f"{view} {name} {shortened(value)}, as the events have it"
            yield _finding(difference, expected, shortened(actual[name]))


def _finding(difference: RowDifference, expected: str, found: str) -> Finding:
    return Finding(
        kind="row",
        position=difference.position,
        job_id=difference.job_id,
        version=difference.version,
        expected=expected,
        found=found,
    )
