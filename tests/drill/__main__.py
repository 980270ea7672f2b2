"""`python -m tests.drill`: play a month of jobs on the real code, one job again, or an absence."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from domain.workflows.files import load
from tests.drill.absence.command import absence
from tests.drill.fuzzing.command import fuzz
from tests.drill.month import done_in, play_month, shifts_of
from tests.drill.replay import claims_broken, played, smallest, story
from tests.drill.shifts import Tally, away_in, lives_of

MAX_SEEDS = 5
"""How many seeds of a broken claim are printed."""


@click.group()
def main() -> None:
    """Let jobs live by the thousand, as they do in real life, and check what Milepost makes of it.

    A model knows what really happened to each job; an oracle checks what is shown.
    """


@main.command()
@click.option("--days", default=30, show_default=True, help="Days of 10,000 jobs.")
@click.option("--processes", default=2, show_default=True)
@click.option(
    "--progress",
    "file",
    type=click.Path(path_type=Path),
    default=Path(".drill/month.jsonl"),
    show_default=True,
    help="Where finished shifts are kept. Delete the file to begin anew.",
)
def month(days: int, processes: int, file: Path) -> None:
    """Play 30 days of 10,000 jobs; go on where an interrupted run ended.

    Prints how many lives of each kind were played, and each claim that did not hold, with seeds for
    `job`. The exit status is 1 if there is one.
    """
    console, total = Console(), Tally()
    done = {each.shift: each for each in done_in(file)}
    shifts = shifts_of(days)
    for shift in shifts:
        if shift in done:
            total.add(done[shift].tally)
    left = [shift for shift in shifts if shift not in done]
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("shifts"),
        TimeRemainingColumn(),
    )
    try:
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task("Playing", total=len(shifts), completed=len(shifts) - len(left))
            for each in play_month(left, processes, file):
                total.add(each.tally)
                broken = len(total.violations)
                bar.update(task, advance=1, description=f"Playing, {broken} claims broken")
    except KeyboardInterrupt:
        console.print("Interrupted. The same command goes on from here.")
    show(console, total)
    sys.exit(bool(total.violations))


def show(console: Console, total: Tally) -> None:
    """Print a tally."""
    counted = Table("life", "jobs", title=f"{total.events:,} events")
    for kind, count in sorted(total.lives.items(), key=lambda pair: -pair[1]):
        counted.add_row(kind, f"{count:,}")
    counted.add_row("all", f"{sum(total.lives.values()):,}")
    console.print(counted)
    less = Table("why less than the exact end is claimed", "jobs")
    for reason, count in sorted(total.weaker.items(), key=lambda pair: -pair[1]):
        less.add_row(reason, f"{count:,}")
    console.print(less)
    if not total.violations:
        console.print("Every claim held.")
        return
    seeds: dict[tuple[str, str, str], list[str]] = {}
    for each in total.violations:
        seeds.setdefault((each.claim, each.sender, each.kind), []).append(each.seed)
    broken = Table("broken claim", "sender", "life", "jobs", "seeds")
    for (claim, sender, kind), found in seeds.items():
        broken.add_row(claim, sender, kind, str(len(found)), " ".join(found[:MAX_SEEDS]))
    console.print(broken)


@main.command()
@click.argument("seed")
def job(seed: str) -> None:
    """Play the job with this SEED again, alone, and tell its story.

    If a claim is broken, print the smallest part of its words that breaks it, too. A job that is
    alone is never given up later because most jobs fell silent at once.
    """
    logging.disable(logging.ERROR)
    console, workflows = Console(soft_wrap=True, highlight=False, markup=False), load()
    shift, _, number = seed.rpartition("/")
    try:
        life, away = lives_of(shift)[int(number)], away_in(shift)
    except (ValueError, IndexError):
        raise click.ClickException(f"{seed} is no seed; one looks like 3.17/244") from None
    for line in story(life, away, played(life, away, workflows)):
        console.print(line)
    for claim in sorted(claims_broken(life, away, workflows)):
        less, fewer = smallest(life, away, claim, workflows)
        console.print(f"\nThe smallest that breaks: {claim}")
        for line in story(less, fewer, played(less, fewer, workflows)):
            console.print(line)


main.add_command(absence)
main.add_command(fuzz)

if __name__ == "__main__":
    main()
