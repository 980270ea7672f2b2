"""workflows: list, show and check definitions."""

from __future__ import annotations

from pathlib import Path

import click

from api.cli.terminal.output import as_json, print_json
from api.cli.terminal.tables import print_table
from api.settings.config import from_environment
from domain.unseen import visible
from domain.workflows.definition import Workflow
from domain.workflows.files import SHIPPED, beside_shipped, load, read


@click.group()
def workflows() -> None:
    """List, show and check workflow definitions."""


@workflows.command("list")
@as_json
def list_workflows(as_json: bool) -> None:
    """List the workflow definitions."""
    definitions = load(from_environment().workflows)
    if as_json:
        for each in definitions:
            print_json(each)
        return
    rows = [
        (
            each.ref,
            "default" if each is definitions.default else "",
            " → ".join(step.label for step in each.ui_steps),
        )
        for each in definitions
    ]
    print_table(("Workflow", "", "UI steps"), rows, "")


@workflows.command()
@click.argument("ref")
@as_json
def show(ref: str, as_json: bool) -> None:
    """Show the definition REF (name or name@version): each step and the UI step it activates."""
    workflow = load(from_environment().workflows).find(ref)
    if as_json:
        return print_json(workflow)
    click.echo(visible(f"{workflow.ref}  {workflow.description}"))
    rows = [(step.id, step.activates, ", ".join(step.aliases)) for step in workflow.steps]
    return print_table(("Step", "Activates", "Also known as"), rows, "No steps.")


@workflows.command()
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
def check(files: tuple[Path, ...]) -> None:
    """Check definition files; print the first fault with its file, line and reason.

    The files of one folder are also checked against one another and against the shipped ones, as
    `milepost serve` does.
    """
    folders: dict[Path, list[Workflow]] = {}
    for file in files:
        workflow, folder = read(file), file.resolve().parent
        if folder != SHIPPED.resolve():
            folders.setdefault(folder, []).append(workflow)
            beside_shipped(folders[folder], folder)
        steps = f"{len(workflow.ui_steps)} UI steps, {len(workflow.steps)} steps"
        click.echo(visible(f"{file}: {workflow.ref} is fine ({steps})"))
