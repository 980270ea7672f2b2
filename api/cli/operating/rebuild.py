"""rebuild: fold the whole log into new tables and serve them, or only compare."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

import click
import msgspec
from eventsourcing.persistence import PersistenceError

from api.cli.terminal.opening import opened
from api.cli.terminal.output import as_json, counted, print_json
from api.cli.terminal.progress import progress
from api.cli.terminal.tables import print_table
from api.wiring import Services
from domain.log.store import translated
from projections.comparing.rows import RowDifference
from projections.read_model.tables import VIEWS
from projections.rebuilding.rebuild import Progress, RebuildInterrupted, Rebuilt

SHOWN = 20
"""How many differences the command prints for a person."""


@click.command()
@click.argument("projection", required=False, type=click.Choice(VIEWS))
@click.option("--dry-run", is_flag=True, help="Only compare; exit with 1 if rows differ.")
@click.option(
    "--restart", is_flag=True, help="Start again instead of resuming an interrupted rebuild."
)
@click.option("--discard", is_flag=True, help="Only drop the tables of an interrupted rebuild.")
@as_json
def rebuild(
    projection: str | None, dry_run: bool, restart: bool, discard: bool, as_json: bool
) -> None:
    """Fold the whole log into new tables, and serve those.

    Callbacks and reads continue meanwhile. The command counts and prints each difference between
    the served rows and the events. With PROJECTION, it compares that projection only; it rebuilds
    all projections together, because they share one position. After an interruption, the next
    rebuild resumes at the same position.
    """
    if dry_run + restart + discard > 1:
        raise click.UsageError("--dry-run, --restart and --discard exclude one another")
    wanted = (projection,) if projection else VIEWS
    with opened(only_looks=dry_run) as services, translated():
        if discard:
            return _discard(services, as_json)
        if dry_run:
            return _compare(services, wanted, as_json)
        return _rebuild(services, wanted, restart, as_json)


def _discard(services: Services, as_json: bool) -> None:
    dropped = services.rebuild().drop()
    if as_json:
        print_json({"discarded": dropped})
    else:
        click.echo("Dropped the tables." if dropped else "No interrupted rebuild has left tables.")
    _drop_old_tables(services)


def _drop_old_tables(services: Services) -> None:
    """Drop the replaced tables. If this is interrupted, the projector drops them later."""
    try:
        with suppress(KeyboardInterrupt), progress("dropping old tables", "slices") as reached:
            reached(0, None)
            services.rebuild().delete_replaced()
    except PersistenceError as error:
        click.echo(
            f"The old tables are not dropped yet; the projector drops them later: {error}", err=True
        )


def _compare(services: Services, wanted: Sequence[str], as_json: bool) -> None:
    if services.reader.status().shape != services.read_model.shape:
        raise click.ClickException(
            "the served rows have the shape of another release, so they cannot be compared"
        )
    differences, compared, jobs = _Differences(as_json), 0, sum(services.reader.counts().values())
    with progress("comparing", "jobs") as reached:
        reached(compared, jobs)
        for count, differing in services.rebuild().comparison(wanted).with_events():
            compared += count
            reached(compared, max(compared, jobs))
            for difference in differing:
                differences(difference)
    if not as_json:
        differences.show()
        click.echo(
            f"Compared {counted(compared, 'job')} with their events: "
            + (
                f"{counted(differences.count, 'difference')}."
                if differences.count
                else "no differences."
            )
        )
    if differences.count:
        raise click.exceptions.Exit(1)


def _rebuild(services: Services, wanted: Sequence[str], afresh: bool, as_json: bool) -> None:
    differences, seen = _Differences(as_json), Progress(0, 0, 0)
    with progress("rebuilding", "positions") as reached:

        def on_progress(far: Progress) -> None:
            nonlocal seen
            seen = far
            reached(far.position, far.newest_position)

        try:
            rebuilt = services.rebuild().run(
                afresh=afresh, wanted=wanted, on_progress=on_progress, on_difference=differences
            )
        except KeyboardInterrupt as error:
            position = services.read_model.rebuilt_position() or 0
            raise RebuildInterrupted(
                f"Interrupted at position {position} of {seen.newest_position}: `milepost "
                "rebuild` resumes, `milepost rebuild --discard` drops the new tables."
            ) from error
    if as_json:
        print_json({**msgspec.structs.asdict(rebuilt), "seconds": round(rebuilt.seconds, 3)})
    else:
        differences.show()
        click.echo(_summary(rebuilt))
    _drop_old_tables(services)


def _summary(rebuilt: Rebuilt) -> str:
    since = f" from position {rebuilt.began_at:,} on" if rebuilt.began_at else ""
    if rebuilt.differences is None:
        differed = "The rows served before had another shape."
    elif rebuilt.differences:
        differed = f"{rebuilt.differences:,} of the rows served before differed."
    else:
        differed = "The rows served before did not differ."
    return (
        f"Folded {counted(rebuilt.events, 'event')}{since} in {rebuilt.seconds:.1f} s; "
        f"the new tables are served, at position {rebuilt.position:,}. {differed}"
    )


class _Differences:
    """Prints every difference at once for a program, and the first ones at the end for a person."""

    def __init__(self, as_json: bool) -> None:
        self.count = 0
        self._as_json = as_json
        self._shown: list[RowDifference] = []

    def __call__(self, difference: RowDifference) -> None:
        self.count += 1
        if self._as_json:
            print_json(
                {
                    "job_id": difference.job_id,
                    "view": difference.view,
                    "there": difference.actual,
                    "expected": difference.expected,
                }
            )
        elif len(self._shown) < SHOWN:
            self._shown.append(difference)

    def show(self) -> None:
        rows = [
            (each.job_id, each.view, name, actual, expected)
            for each in self._shown
            for name, actual, expected in _values(each)
        ]
        if rows:
            print_table(("Job", "View", "Field", "Served", "Expected"), rows, "")
        if self.count > len(self._shown):
            click.echo(f"… and {self.count - len(self._shown):,} more (--json prints all)")


def _values(difference: RowDifference) -> Iterator[tuple[str, str, str]]:
    """Yield the name of each differing value, with the actual and the expected value as text."""
    actual, expected = difference.actual, difference.expected
    if actual is None or expected is None:
        yield "row", "present" if actual else "missing", "present" if expected else "missing"
        return
    for name in expected:
        yield name, _shortened(actual[name]), _shortened(expected[name])


def _shortened(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode()
    return text if len(text) <= 60 else f"{text[:59]}…"
