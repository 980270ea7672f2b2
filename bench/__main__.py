"""`python -m bench`: run the measurements and print their figures."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import msgspec
from rich.console import Console

from bench import (
    auditing,
    before,
    callbacks,
    deadlines,
    front,
    growth,
    latency,
    memory,
    moving,
    projecting,
    reading,
    statements,
    strangers,
    travelling,
    verifying,
    watchers,
)
from bench.contenders import Mismatch
from bench.crowd import TooFewFiles, allow_open_files
from bench.curves import CURVES, Curve
from bench.effort import FULL, SHORT, Effort
from bench.figures import Line, NothingMeasured, show
from bench.load import MissingWrk, require_wrk
from bench.stage import Stage

CLAIMS: dict[str, Callable[[Stage, Effort], Iterator[Line]]] = {
    "before": before.run,
    "callbacks": callbacks.run,
    "front": front.run,
    "watchers": watchers.run,
    "strangers": strangers.run,
    "growth": growth.run,
    "deadlines": deadlines.run,
    "latency": latency.run,
    "reading": reading.run,
    "statements": statements.run,
    "projecting": projecting.run,
    "travelling": travelling.run,
    "memory": memory.run,
    "verifying": verifying.run,
    "auditing": auditing.run,
    "moving": moving.run,
}


@click.command()
@click.argument("claims", nargs=-1, type=click.Choice(list(CLAIMS)))
@click.option("--short", is_flag=True, help="Only check that the scripts run; compare no figure.")
@click.option(
    "--plots",
    type=click.Path(path_type=Path),
    help="Measure curves, too, and draw them in this folder.",
)
@click.option(
    "--json", "file", type=click.Path(path_type=Path), help="Write the figures to this file."
)
def main(claims: tuple[str, ...], short: bool, plots: Path | None, file: Path | None) -> None:
    """Measure Milepost against its baselines, alternating; all CLAIMS, or the named ones."""
    # SIGTERM must unwind the stack, which ends the servers of this run.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # These jobs have no registration or no end, so the log would only repeat warnings about that.
    logging.getLogger("milepost").addHandler(logging.NullHandler())
    console, errors = Console(width=140), Console(stderr=True)
    effort, lines = SHORT if short else FULL, list[Line]()
    try:
        require_wrk()
        for claim, connections in (("front", effort.silent), ("watchers", effort.watchers)):
            if claim in (claims or CLAIMS):
                allow_open_files(connections)
    except (MissingWrk, TooFewFiles) as error:
        raise click.ClickException(str(error)) from None
    with Stage() as stage:
        made_on = stage.describe()
        errors.print(f"On {made_on}; {effort.pairs} pairs of {effort.seconds} s each.")
        for claim in claims or CLAIMS:
            with errors.status(f"{claim} …"):
                try:
                    for line in CLAIMS[claim](stage, effort):
                        errors.print(
                            f"  {line.claim}: {line.figure:.3g} {line.unit}  ({line.detail})"
                        )
                        lines.append(line)
                except (Mismatch, NothingMeasured) as error:
                    raise click.ClickException(f"{claim}: {error}") from error
        if plots:
            from bench.plots import draw  # only plots need matplotlib

            curves: list[Curve] = []
            for measure in CURVES:
                with errors.status(f"{measure.__name__} …"):
                    curves += measure(stage, effort)
            for file_drawn in draw(curves, plots):
                errors.print(f"  {file_drawn}")
    show(lines, console)
    if file:
        file.write_bytes(msgspec.json.format(msgspec.json.encode({"on": made_on, "lines": lines})))
    if not short and not all(line.holds for line in lines):
        sys.exit(1)


if __name__ == "__main__":
    main()
