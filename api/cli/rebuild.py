"""rebuild: fold the whole history into new tables and serve those; or only compare."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

import click
import msgspec
from eventsourcing.persistence import PersistenceError

from api.cli.terminal.output import as_json, counted, opened, print_json, print_table
from api.cli.terminal.progress import progress
from api.wiring import Services
from domain.log.store import translated
from projections.comparing.rows import VIEWS, RowDifference
from projections.rebuilding.rebuild import Progress, RebuildInterrupted, Rebuilt

SHOWN = 20
"""How many differences a person is shown."""


@click.command()
@click.argument("projection", required=False, type=click.Choice(VIEWS))
@click.option("--dry-run", is_flag=True, help="Only compare; exit 1 if anything differs.")
@click.option("--restart", is_flag=True, help="Do not go on with an interrupted one.")
@click.option("--discard", is_flag=True, help="Drop what an interrupted one left, and no more.")
@as_json
def rebuild(
    projection: str | None, dry_run: bool, restart: bool, discard: bool, as_json: bool
) -> None:
    """Fold the whole history into new tables, and serve those.

    Callbacks and reads go on meanwhile. What the served rows had that the events do not say is
    counted and shown. With PROJECTION, only that one is compared; the tables of all are made anew
    together, because their rows stand at one position. Interrupted, it goes on where it was.
    """
    if dry_run + restart + discard > 1:
        raise click.UsageError("--dry-run, --restart and --discard exclude one another")
    wanted = (projection,) if projection else VIEWS
    with opened(only_if_there=True, only_looks=dry_run) as here, translated():
        if discard:
            return _discard(here, as_json)
        if dry_run:
            return _compare(here, wanted, as_json)
        return _rebuild(here, wanted, restart, as_json)


def _discard(here: Services, as_json: bool) -> None:
    dropped = here.rebuild().drop()
    if as_json:
        print_json({"discarded": dropped})
    else:
        click.echo("Dropped what it left." if dropped else "There was nothing to drop.")
    _take_away(here)


def _take_away(here: Services) -> None:
    """Take away what is not needed any more; it may be left, and hurts nobody."""
    try:
        with suppress(KeyboardInterrupt), progress("taking old tables away", "slices") as reached:
            reached(0, None)
            here.rebuild().delete_replaced()
    except PersistenceError as error:
        click.echo(f"The old tables are still there, and go later: {error}", err=True)


def _compare(here: Services, wanted: Sequence[str], as_json: bool) -> None:
    if here.reader.status().shape != here.read_model.shape:
        raise click.ClickException(
            "the served rows are of another release's shape, and cannot be compared"
        )
    differences, compared, jobs = _Differences(as_json), 0, sum(here.reader.counts().values())
    with progress("comparing", "jobs") as reached:
        reached(compared, jobs)
        for count, found in here.rebuild().comparison(wanted).with_events():
            compared += count
            reached(compared, max(compared, jobs))
            for difference in found:
                differences(difference)
    if not as_json:
        differences.show()
        click.echo(
            f"Compared {counted(compared, 'job')} with their events: "
            + (
                f"{counted(differences.count, 'difference')}."
                if differences.count
                else "nothing differs."
            )
        )
    if differences.count:
        raise click.exceptions.Exit(1)


def _rebuild(here: Services, wanted: Sequence[str], afresh: bool, as_json: bool) -> None:
    differences, seen = _Differences(as_json), Progress(0, 0, 0)
    with progress("rebuilding", "positions") as reached:

        def on_progress(far: Progress) -> None:
            nonlocal seen
            seen = far
            reached(far.position, far.newest_position)

        try:
            rebuilt = here.rebuild().run(
                afresh=afresh, wanted=wanted, on_progress=on_progress, on_difference=differences
            )
        except KeyboardInterrupt as error:
            kept = here.read_model.rebuilt_position() or 0
            raise RebuildInterrupted(
                f"Interrupted at position {kept} of {seen.newest_position}: `milepost "
                "rebuild` goes on from there, with --discard it drops what is done."
            ) from error
    if as_json:
        print_json({**msgspec.structs.asdict(rebuilt), "seconds": round(rebuilt.seconds, 3)})
    else:
        differences.show()
        click.echo(_said(rebuilt))
    _take_away(here)


def _said(rebuilt: Rebuilt) -> str:
    since = f" from position {rebuilt.began_at:,} on" if rebuilt.began_at else ""
    if rebuilt.differences is None:
        differed = "The rows that were served had another shape."
    elif rebuilt.differences:
        differed = f"{rebuilt.differences:,} of the rows that were served differed."
    else:
        differed = "Nothing differed from the rows that were served."
    return (
        f"Folded {counted(rebuilt.events, 'event')}{since} in {rebuilt.seconds:.1f} s; "
        f"the new tables are served, at position {rebuilt.position:,}. {differed}"
    )


class _Differences:
    """Prints each difference for a program when it is found; shows the first ones to a person."""

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
            print_table(("Job", "View", "What", "There", "Expected"), rows, "")
        if self.count > len(self._shown):
            click.echo(f"… and {self.count - len(self._shown):,} more (--json tells all)")


def _values(difference: RowDifference) -> Iterator[tuple[str, str, str]]:
    """Return the name of what differs, its actual and its expected value, as they are shown."""
    actual, expected = difference.actual, difference.expected
    if actual is None or expected is None:
        yield "row", "there" if actual else "none", "there" if expected else "none"
        return
    for name in expected:
        yield name, _shortened(actual[name]), _shortened(expected[name])


def _shortened(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode()
    return text if len(text) <= 60 else f"{text[:59]}…"
