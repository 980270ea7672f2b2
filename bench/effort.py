"""The effort of a run: the whole measurement, or a short one that only checks the scripts."""

from __future__ import annotations

from typing import NamedTuple


class Effort(NamedTuple):
    """The sizes of a run; `seconds` is the duration of one load."""

    pairs: int
    seconds: float
    jobs: int
    long_history: int
    big_store: int
    log: int
    audited: int
    callbacks: int
    many_jobs: int
    held: int
    silent: int
    watched: int
    watched_jobs: int
    watchers: int
    watched_live: int
    watched_rate: int
    watched_seconds: float


FULL = Effort(
    pairs=5,
    seconds=4,
    jobs=200,
    long_history=100_000,
    big_store=5_000_000,
    log=200_000,
    audited=1_000_000,
    callbacks=1_000_000,
    many_jobs=50_000,
    held=1_000,
    silent=10_000,
    watched=100,
    watched_jobs=1_000_000,
    watchers=10_000,
    watched_live=2_000,
    watched_rate=100,
    watched_seconds=600,
)
SHORT = Effort(
    pairs=1,
    seconds=1,
    jobs=20,
    long_history=300,
    big_store=2_000,
    log=2_000,
    audited=2_000,
    callbacks=2_000,
    many_jobs=100,
    held=50,
    silent=200,
    watched=0,
    watched_jobs=1_000,
    watchers=60,
    watched_live=12,
    watched_rate=40,
    watched_seconds=3,
)
