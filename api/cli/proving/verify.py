"""verify: check the log against its tree, earlier checkpoints, its rows, snapshots and keys."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Final

import click
import msgspec

from api.atomic_file import atomic_file
from api.cli.terminal.opening import opened
from api.cli.terminal.output import INTERRUPTED, as_json, counted, print_json
from api.cli.terminal.progress import progress
from api.settings.home import make_folder
from api.settings.settings import Settings
from api.wiring import Services
from domain.evidence.checkpoint import Checkpoint, opened_checkpoint
from domain.evidence.signed_note import InvalidCheckpoint
from domain.evidence.signing_keys import PublicKey
from domain.log.connections.beside import give_to_owner_of
from domain.unseen import visible
from projections.verification.findings import Finding
from projections.verification.run import State, Summary, Verification

STDIN: Final = Path("-")
SHOWN = 100
"""How many findings the command prints for a person."""


@click.command()
@click.option(
    "--checkpoint",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    help="The file of an earlier checkpoint that the log must extend, or - for standard input; "
    "repeatable.",
)
@click.option("--job", "job_id", help="Verify only this job.")
@click.option("--resume", is_flag=True, help="Continue the verification that Ctrl-C stopped.")
@as_json
def verify(files: tuple[Path, ...], job_id: str | None, resume: bool, as_json: bool) -> None:
    """Verify that the log is unchanged; exit with 1 if it is not.

    The command reads every event and writes nothing; it may run beside a busy server. It checks
    that positions and versions are in order, that every event can be read or was rightly set
    aside, that the tree has exactly these events, that the events fold to the rows of the read
    model and to all snapshots, that every key points at the event that claimed it, and that the
    log extends every --checkpoint. Without a checkpoint, a person who can write to the database
    could have changed the tree as well. With --job, the command counts missing events and does not
    name them.
    """
    if job_id is not None and resume:
        raise click.UsageError("--job and --resume exclude one another")
    if files.count(STDIN) > 1:
        raise click.UsageError("standard input has one checkpoint only")
    with opened(only_looks=True, with_key=True) as services:
        checkpoints = [_checkpoint(file, services.trusted()) for file in files]
        report = _Report(as_json)
        verification = services.verification(checkpoints, report)
        if job_id is not None:
            summary = verification.one_job(job_id, services.clock())
        else:
            summary = _whole(services, verification, resume)
        report.sum_up(summary, job_id)
    if summary.findings:
        raise click.exceptions.Exit(1)


def _whole(services: Services, verification: Verification, resume: bool) -> Summary:
    database = services.settings.shown_database
    path = state_file(services.settings)
    state = _read(path) if resume else verification.begin(database, services.clock())
    expected = state.head.size + max(0, state.upto - state.head.position)
    done = state.leaves.roots.frontier.size + state.histories.events
    try:
        with progress("verifying", "events") as reached:
            reached(done, 2 * expected)  # the verification reads every event twice

            def advance(count: int) -> None:
                nonlocal done
                done += count
                reached(done, 2 * expected)

            summary = verification.run(state, database, advance)
    except KeyboardInterrupt:
        _write(path, verification.state)
        click.echo("Stopped; milepost verify --resume continues.", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None
    with suppress(OSError):  # a read-only home has no state of this verification
        path.unlink()
    return summary


class _Report:
    """Prints all findings for a program, and the first ones for a person."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._count = 0

    def __call__(self, finding: Finding) -> None:
        self._count += 1
        if self._as_json:
            print_json(msgspec.structs.asdict(finding))
        elif self._count <= SHOWN:
            click.echo(visible(str(finding).replace("\n", " ")))

    def sum_up(self, summary: Summary, job_id: str | None) -> None:
        if self._as_json:
            return print_json({"kind": "summary", **msgspec.structs.asdict(summary)})
        if self._count > SHOWN:
            click.echo(f"… and {self._count - SHOWN:,} more; --json prints all")
        findings = counted(summary.findings, "finding") if summary.findings else "no findings"
        of = (
            f"of job {visible(job_id)}"
            if job_id is not None
            else f"of {counted(summary.jobs, 'job')}"
        )
        click.echo(
            f"Verified {counted(summary.events, 'event')} {of}, "
            f"as of {summary.began_at}: {findings}."
        )
        if job_id is None:
            click.echo(f"Root of {counted(summary.events, 'event')}: {summary.root}")
            if pending := summary.events - summary.tree_size:
                click.echo(
                    f"The tree has {counted(summary.tree_size, 'event')}, {abs(pending):,} "
                    f"{'fewer; the projector adds them' if pending > 0 else 'more'}."
                )
        if not summary.checkpoints:
            click.echo(
                "Without a --checkpoint, a person who can write to the database could have changed "
                "the tree as well."
            )
        elif not summary.findings:
            click.echo(f"Checkpoints that the log extends: {summary.checkpoints}")
        if summary.set_aside:
            click.echo(f"Events set aside, not folded: {summary.set_aside:,}")
        if not summary.rows_compared:
            click.echo("Rows were not compared: they have the shape of another release.")
        return None


def _checkpoint(file: Path, trusted: Sequence[PublicKey]) -> Checkpoint:
    """Read a checkpoint that a trusted key has signed for its own log."""
    name = "standard input" if file == STDIN else str(file)
    try:
        is_stdin = file == STDIN
        note = sys.stdin.buffer.read().decode() if is_stdin else file.read_text(encoding="utf-8")
        return opened_checkpoint(note, trusted)
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{name} cannot be read: {error}") from error
    except InvalidCheckpoint as error:
        keys = ", ".join(map(str, trusted)) or "none"
        raise click.ClickException(
            f"{name}: {error} (trusted: {keys}; MILEPOST_CHECKPOINT_TRUSTED may name more)"
        ) from error


def state_file(settings: Settings) -> Path:
    """Return the file for the progress of this database: others may share the home."""
    name = blake2b(settings.shown_database.encode(), digest_size=4).hexdigest()
    return settings.home / f"verify-{name}.json"


def _read(path: Path) -> State:
    try:
        return msgspec.json.decode(path.read_bytes(), type=State)
    except FileNotFoundError as error:
        raise click.ClickException(
            f"there is no stopped verification to resume: no {path}"
        ) from error
    except (OSError, msgspec.MsgspecError) as error:
        raise click.ClickException(f"{path} cannot be read: {error}") from error


def _write(path: Path, state: State) -> None:
    make_folder("MILEPOST_HOME", path.parent)
    with atomic_file(path) as file:
        give_to_owner_of(path.parent, file.fileno())
        file.write(msgspec.json.encode(state))
