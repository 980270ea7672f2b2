"""`python -m tests.drill absence`: let it happen for real, to several servers at the same time."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from time import monotonic
from typing import Final

import click
from rich.console import Console
from rich.table import Column, Table

from tests.drill.absence.clock import SetClock, UnusableLibrary, library
from tests.drill.absence.happenings import HAPPENINGS
from tests.drill.absence.outcome import Outcome
from tests.drill.absence.watching import Watch

EVERY_SECONDS: Final = 60


@click.command()
@click.argument("happenings", nargs=-1, type=click.Choice(tuple(HAPPENINGS)), metavar="[WHAT]…")
@click.option("--away", default=16 * 60, show_default=True, help="Seconds of an absence.")
@click.option("--deadline", default=900, show_default=True, help="Seconds without a heartbeat.")
@click.option(
    "--libfaketime",
    "faketime",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=library,
    help="libfaketime.so.1, version 0.9.11 or newer: older ones break Python's sleep.",
)
def absence(happenings: Sequence[str], away: int, deadline: int, faketime: Path | None) -> None:
    """Freeze real servers, stop their database, set their clock, and watch what they give up.

    Takes about 25 minutes, and little of the processor. WHAT is any of frozen, frozen-postgres,
    frozen-in-step, database, ahead, ahead-postgres, back and back-postgres. Without it, all happen
    at the same time, each to a server of its own. The exit status is 1 if a promise was broken.
    """
    console, names = Console(soft_wrap=True, highlight=False), happenings or tuple(HAPPENINGS)
    if any(HAPPENINGS[name].sets_clock for name in names):
        check(faketime)
    stop = Event()
    watches = [Watch(name, away, deadline, faketime, stop) for name in names]
    console.print(f"{stamp()} {len(watches)} servers start.")
    try:
        with running(watches, stop) as futures:
            began = monotonic()
            while wait(futures, EVERY_SECONDS).not_done:
                minutes = (monotonic() - began) / 60
                stages = " · ".join(f"{watch.name}: {watch.stage}" for watch in watches)
                console.print(f"{stamp()} {minutes:.0f} min: {stages}")
    except KeyboardInterrupt:
        console.print("Interrupted. All servers and databases that the drill started are ended.")
        sys.exit(130)
    show(console, [future.result() for future in futures if future.exception() is None])
    broken = []
    for watch, future in zip(watches, futures, strict=True):
        if error := future.exception():
            broken.append(f"{watch.name} did not come to its end: {error}")
        else:
            broken += future.result().violations()
    console.print("\n".join(broken) or "Every promise held.", markup=False)
    sys.exit(bool(broken))


def check(faketime: Path | None) -> None:
    """Refuse a libfaketime that cannot do it, before anything is started."""
    if faketime is None:
        raise click.ClickException("Name a libfaketime.so.1 with --libfaketime.")
    with TemporaryDirectory() as folder:
        try:
            SetClock(faketime, Path(folder) / "clock").check()
        except UnusableLibrary as error:
            raise click.ClickException(str(error)) from None


@contextmanager
def running(watches: Sequence[Watch], stop: Event) -> Iterator[list[Future[Outcome]]]:
    """Run all watches in threads. At an interrupt, wait until they have ended what they started."""
    with ThreadPoolExecutor(len(watches)) as pool:
        try:
            yield [pool.submit(watch.run) for watch in watches]
        finally:
            stop.set()


def show(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Print what came of each happening, and what `/readyz` and the log said."""
    table = Table(
        Column("what", no_wrap=True),
        "took",
        "wrong\ndeaths",
        "due",
        "latest",
        "ended",
        "beats\nheard",
        "no\nanswer",
        title="The dead job's deadline and end, in seconds since its last word",
    )
    for each in outcomes:
        table.add_row(
            each.name,
            f"{each.took:.0f} s",
            str(len(each.wrong)),
            f"{each.due} s",
            f"{each.limit:.0f} s",
            "never" if each.ended is None else f"{each.ended:.0f} s",
            str(each.answered),
            str(each.unanswered),
        )
    console.print(table)
    for each in outcomes:
        console.print(f"\n{each.name}: /readyz said, in this order:", markup=False)
        for sentence in each.seen:
            console.print(f"  {sentence}", markup=False)
        for line in each.logged:
            console.print(f"  log: {line}", markup=False)
    console.print()


def stamp() -> str:
    """Return the time of day of a line of progress."""
    return f"{datetime.now(UTC):%H:%M:%S}"
