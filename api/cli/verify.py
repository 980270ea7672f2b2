"""verify: hold the log against its tree, kept checkpoints, all that was made of it, its keys."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from api.atomic_file import atomic_file
from api.cli.terminal.output import INTERRUPTED, as_json, counted, opened, print_json, printable
from api.cli.terminal.progress import progress
from api.settings.settings import Settings
from api.wiring import Services
from domain.evidence.checkpoint import Checkpoint, opened_checkpoint
from domain.evidence.signed_note import InvalidCheckpoint
from projections.verification.findings import Finding
from projections.verification.run import State, Summary, Verification

SHOWN = 100
"""How many findings a person is shown."""


@click.command()
@click.option(
    "--checkpoint",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A checkpoint that you kept, to hold the log against; as often as you like.",
)
@click.option("--job", "job_id", help="Only this job.")
@click.option("--resume", is_flag=True, help="Go on with what Ctrl-C stopped.")
@as_json
def verify(files: tuple[Path, ...], job_id: str | None, resume: bool, as_json: bool) -> None:
    """Verify that nothing was changed; exit with 1 if anything was.

    Reads every event and writes nothing; it may run beside a busy server. Checks that positions and
    versions have their order, that every event can be read or was rightly set aside, that the tree
    has exactly these events, that the rows of the read model and all snapshots are what the events
    come to, that every key points at the event that took it, and that the log extends every
    --checkpoint. Without one, whoever can write to the database could have changed the tree as
    well. With --job, events that are gone are counted, and not told apart.
    """
    if job_id is not None and resume:
        raise click.UsageError("--job and --resume exclude one another")
    with opened(only_looks=True, with_key=True) as here:
        checkpoints = [_checkpoint(file, here.settings) for file in files]
        told = _Told(as_json)
        verification = here.verification(checkpoints, told)
        if job_id is not None:
            summary = verification.one_job(job_id, here.clock())
        else:
            summary = _whole(here, verification, resume)
        told.sum_up(summary, job_id)
    if summary.findings:
        raise click.exceptions.Exit(1)


def _whole(here: Services, verification: Verification, resume: bool) -> Summary:
    database, path = here.settings.shown_database, here.settings.home / "verify.json"
    state = _read(path) if resume else verification.begin(database, here.clock())
    expected = state.head.size + max(0, state.upto - state.head.position)
    done = state.leaves.roots.frontier.size + state.histories.events
    try:
        with progress("verifying", "events") as reached:
            reached(done, 2 * expected)  # everything is read twice

            def advance(count: int) -> None:
                nonlocal done
                done += count
                reached(done, 2 * expected)

            summary = verification.run(state, database, advance)
    except KeyboardInterrupt:
        _write(path, verification.state)
        click.echo("Stopped; milepost verify --resume goes on from here.", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None
    path.unlink(missing_ok=True)
    return summary


class _Told:
    """Prints findings: all of them for a program, the first ones for a person."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._count = 0

    def __call__(self, finding: Finding) -> None:
        self._count += 1
        if self._as_json:
            print_json(msgspec.structs.asdict(finding))
        elif self._count <= SHOWN:
            click.echo(printable(str(finding).replace("\n", " ")))

    def sum_up(self, summary: Summary, job_id: str | None) -> None:
        if self._as_json:
            return print_json({"kind": "summary", **msgspec.structs.asdict(summary)})
        if self._count > SHOWN:
            click.echo(f"… and {self._count - SHOWN:,} more; --json tells all")
        found = (
            counted(summary.findings, "finding")
            if summary.findings
            else "nothing to find fault with"
        )
        of = (
            f"of job {printable(job_id)}"
            if job_id is not None
            else f"of {counted(summary.jobs, 'job')}"
        )
        click.echo(
            f"Verified {counted(summary.events, 'event')} {of}, as of {summary.began_at}: {found}."
        )
        if job_id is None:
            click.echo(f"Root of {counted(summary.events, 'event')}: {summary.root}")
            if pending := summary.events - summary.tree_size:
                click.echo(
                    f"The tree has {counted(summary.tree_size, 'event')}, {abs(pending):,} "
                    f"{'fewer; whoever projects hashes them' if pending > 0 else 'more'}."
                )
        if not summary.checkpoints:
            click.echo(
                "No --checkpoint was given: who can write to the database could have changed the "
                "tree as well."
            )
        elif not summary.findings:
            click.echo(f"Checkpoints that this extends: {summary.checkpoints}")
        if summary.set_aside:
            click.echo(f"Events that were set aside, unfolded: {summary.set_aside:,}")
        if not summary.rows_compared:
            click.echo("Rows were not compared: they are of another release's shape.")
        return None


def _checkpoint(file: Path, settings: Settings) -> Checkpoint:
    """Read a checkpoint that a trusted key signed for its own log."""
    try:
        return opened_checkpoint(file.read_text(encoding="utf-8"), settings.trusted)
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{file} cannot be read: {error}") from error
    except InvalidCheckpoint as error:
        keys = ", ".join(str(key) for key in settings.trusted) or "none"
        raise click.ClickException(printable(f"{file}: {error} (trusted: {keys})")) from error


def _read(path: Path) -> State:
    try:
        return msgspec.json.decode(path.read_bytes(), type=State)
    except FileNotFoundError as error:
        raise click.ClickException(f"there is nothing to resume: no {path}") from error
    except (OSError, msgspec.MsgspecError) as error:
        raise click.ClickException(f"{path} cannot be read: {error}") from error


def _write(path: Path, state: State) -> None:
    with atomic_file(path) as file:
        file.write(msgspec.json.encode(state))
