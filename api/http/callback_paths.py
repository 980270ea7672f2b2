"""The paths that take callbacks: two for every job, and one of each job's own."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

CALLBACK_PATHS: Final = ("/api/webhooks/github", "/api/callbacks")
OF_ONE_JOB: Final = "/api/callbacks/"


def path_of(job_id: str) -> str:
    """Return the path of a job's callbacks, percent-encoded."""
    return f"{OF_ONE_JOB}{quote(job_id, safe=':@')}"


def takes_callbacks(path: str) -> bool:
    """Tell whether a path takes callbacks; its percent signs are decoded."""
    return path in CALLBACK_PATHS or path.startswith(OF_ONE_JOB)
