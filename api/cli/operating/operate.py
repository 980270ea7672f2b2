"""fail, cancel, retry, stop, stopped: what an operator does about one job."""

from __future__ import annotations

import getpass
import logging
import os
from collections.abc import Callable

import click

from api.cli.terminal.opening import opened
from api.cli.terminal.output import as_json, indented, print_json
from api.representations.job import job_body
from api.schemas.ids import MAX_ID, MAX_REASON, is_printable
from api.wiring import Services
from domain.errors import JobNotFound, NotPossible
from domain.job.runs.orders import Order
from domain.shell_words import order_line
from domain.unseen import is_utf_8, visible
from domain.writing.batch import Receipt
from projections.views.instance import Instance

JOB = click.argument("job_id", metavar="JOB")


def _reason(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value and not (
        len(value) <= MAX_REASON and all(is_printable(line) for line in value.splitlines())
    ):
        raise click.BadParameter(f"more than {MAX_REASON:,} characters, or a control character")
    return value or None


REASON = click.option(
    "--reason", callback=_reason, help="Why; it is recorded and shown with the job."
)


def _by(_: click.Context, __: click.Parameter, value: str | None) -> str:
    by = value or f"cli:{_account()}"
    if len(by) > MAX_ID or not (is_printable(by) and is_utf_8(by)):
        raise click.BadParameter(f"must have at most {MAX_ID} printable characters")
    return by


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have a number only
        return str(os.getuid())


BY = click.option(
    "--by", callback=_by, help="Who asks for it; by default cli: and your account's name."
)


@click.command()
@JOB
@REASON
@BY
@as_json
def fail(job_id: str, reason: str | None, by: str, as_json: bool) -> None:
    """End JOB's attempt in progress as failed.

    Later callbacks of that run change nothing but its machine, which has to be removed. The
    workflow's run itself goes on: cancel it where it runs.
    """
    _order("fail", job_id, reason, by, as_json)


@click.command()
@JOB
@REASON
@BY
@as_json
def cancel(job_id: str, reason: str | None, by: str, as_json: bool) -> None:
    """End JOB's attempt in progress, because nobody wants its result.

    It is like fail, and shows that somebody wanted it so. The workflow's run itself goes on: cancel
    it where it runs.
    """
    _order("cancel", job_id, reason, by, as_json)


@click.command()
@JOB
@REASON
@BY
@as_json
def retry(job_id: str, reason: str | None, by: str, as_json: bool) -> None:
    """Open the next attempt of JOB, which failed or was stopped.

    Milepost starts no workflow: the attempt is pending until you have dispatched one and its first
    callback comes.
    """
    _order("retry", job_id, reason, by, as_json)


@click.command()
@JOB
@REASON
@BY
@click.option("--server", "server_id", help="The machine, if the job has more than one.")
@as_json
def stopped(job_id: str, reason: str | None, by: str, server_id: str | None, as_json: bool) -> None:
    """Confirm that JOB's machine is gone. Nothing takes this back."""
    _order("stopped", job_id, reason, by, as_json, server_id)


@click.command()
@JOB
@REASON
@BY
@as_json
def stop(job_id: str, reason: str | None, by: str, as_json: bool) -> None:
    """Ask JOB's running instance to stop; `stopped` confirms it later."""
    _order("stop", job_id, reason, by, as_json)


def _order(
    order: Order,
    job_id: str,
    reason: str | None,
    by: str,
    as_json: bool,
    server_id: str | None = None,
) -> None:
    # The log's warning of a machine that is left would come between the sentences about it.
    logging.getLogger("milepost").addHandler(logging.NullHandler())
    with opened() as services:
        instance = _present(services, job_id)
        try:
            receipt = services.milepost.order(
                order, job_id, requested_by=by, reason=reason, server_id=server_id
            )
        except NotPossible as refused:
            raise _naming_machines(refused, instance, server_id) from None
        _answer(services, order, receipt, as_json, server_id)


def _naming_machines(
    refused: NotPossible, instance: Instance, server_id: str | None
) -> NotPossible:
    """Return a refusal that names the job's machines, too, if an unknown one was named."""
    ended = [each for each in instance.runs.attempts if each.final and each.machine_id]
    known = dict.fromkeys(repr(each.machine_id) for each in ended)
    if not (server_id and known):
        return refused
    text = f"{refused} Its machines are {', '.join(known)}."
    return NotPossible(text, possible=refused.possible)


def _present(services: Services, job_id: str) -> Instance:
    instance = services.reader.instance(job_id)
    if instance is None:
        raise JobNotFound(f"There is no job {job_id!r}.")
    return instance


def _answer(
    services: Services, command: str, receipt: Receipt, as_json: bool, server_id: str | None
) -> None:
    instance = services.reader.recorded(receipt.job_id, receipt.version)
    changed = receipt.position is not None
    if as_json:
        return print_json(
            {
                **job_body(
                    instance, services.workflows, services.now(), services.reader.first_start
                ),
                "changed": changed,
            }
        )
    job_id = visible(receipt.job_id)
    if not changed:
        click.echo(f"Job {job_id}: {ALREADY[command]} Nothing was recorded.")
        return None
    for sentence in FOLLOWS[command](instance, server_id):
        click.echo(f"Job {job_id}: {indented(sentence, 2)}")
    return None


ALREADY = {
    "fail": "it has failed already.",
    "cancel": "it is cancelled already.",
    "retry": "its retry waits for its run already.",
    "stop": "it is stopping or stopped already.",
    "stopped": "its machine is recorded as gone already.",
}


def _ended(word: str) -> Callable[[Instance, str | None], list[str]]:
    def sentences(instance: Instance, _: str | None) -> list[str]:
        left = [
            _left(instance, machine)
            for each in instance.runs.attempts
            for machine, _ in each.machines_left
            if machine
        ]
        run = instance.attempt.run_id
        its_run = (
            [f"the workflow's run {run.value} may go on: cancel it where it runs."] if run else []
        )
        return [f"it is {word}.", *left, *its_run]

    return sentences


def _left(instance: Instance, machine: str) -> str:
    confirm = f"confirm that with: {order_line('stopped', instance.job_id, machine)}"
    if machine in (instance.used_elsewhere or ()):
        return (
            f"another job uses its machine {machine}: do not remove it. Once no job uses it, "
            f"remove it; {confirm}"
        )
    unless = " unless another job uses it" if instance.used_elsewhere is None else ""
    return f"its machine {machine} has to be removed{unless}; {confirm}"


def _waits(instance: Instance, _: str | None) -> list[str]:
    number = instance.runs.opened
    return [f"attempt {number} waits for its run. Milepost starts none: dispatch the workflow."]


def _is_gone(instance: Instance, server_id: str | None) -> list[str]:
    # Of several machines, the job may run on another one.
    machine = f"its machine {server_id}" if server_id else "its machine"
    return [f"{machine} is recorded as gone. The job is {instance.status}."]


FOLLOWS: dict[str, Callable[[Instance, str | None], list[str]]] = {
    "fail": _ended("ended as failed"),
    "cancel": _ended("cancelled"),
    "retry": _waits,
    "stop": lambda *_: ["its instance is asked to stop."],
    "stopped": _is_gone,
}
