"""A month of shifts in several processes; a file has the progress, so it can be interrupted."""

from __future__ import annotations

import logging
import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from functools import cache
from itertools import islice
from pathlib import Path

import msgspec

from domain.workflows.definition import Workflows
from domain.workflows.files import load
from tests.drill.shifts import JOBS, Tally, play_shift

SHIFTS_A_DAY = 10_000 // JOBS


class Done(msgspec.Struct):
    """One line of the progress file: a shift and its tally."""

    shift: str
    tally: Tally


def shifts_of(days: int) -> Sequence[str]:
    """Return the names of all shifts; each is the seed of its lives."""
    return [f"{day}.{number}" for day in range(1, days + 1) for number in range(SHIFTS_A_DAY)]


def done_in(file: Path) -> Sequence[Done]:
    """Return what the progress file has; a line that was cut off is played again."""
    if not file.exists():
        return []
    *lines, _ = file.read_bytes().split(b"\n")
    return [msgspec.json.decode(line, type=Done) for line in lines]


def play_month(shifts: Sequence[str], processes: int, file: Path) -> Iterator[Done]:
    """Play shifts; append each to the progress file as soon as it is done, then yield it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    spawn = multiprocessing.get_context("spawn")
    waiting = iter(shifts)
    whole = b"".join(msgspec.json.encode(each) + b"\n" for each in done_in(file))
    file.write_bytes(whole)  # without a line that was cut off
    with (
        file.open("ab") as progress,
        ProcessPoolExecutor(processes, mp_context=spawn, initializer=_prepare) as pool,
    ):
        under_way = {pool.submit(_play, shift) for shift in islice(waiting, processes + 1)}
        while under_way:
            finished, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for future in finished:
                if (shift := next(waiting, None)) is not None:
                    under_way.add(pool.submit(_play, shift))
                done = future.result()
                progress.write(msgspec.json.encode(done) + b"\n")
                progress.flush()
                yield done


def _prepare() -> None:
    """Log no job, because thousands fail; let Ctrl-C end the shift under way in order."""
    logging.disable(logging.ERROR)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _play(shift: str) -> Done:
    return Done(shift, play_shift(shift, _workflows()))


@cache
def _workflows() -> Workflows:
    return load()
