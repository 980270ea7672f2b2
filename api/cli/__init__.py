"""The `milepost` command. An error is one line on stderr with exit status 1, or 2 for usage."""

from __future__ import annotations

import errno
import gc
import sys
from collections.abc import Callable
from typing import Any, Final

import click
from click.exceptions import NoArgsIsHelpError

from api.cli.terminal.commands import Commands
from api.cli.terminal.encoding import escape_what_no_encoding_has, refuse_other_bytes
from api.cli.terminal.output import INTERRUPTED
from api.cli.terminal.standard_output import (
    name_faults_of_output,
    open_closed_streams,
    output_faults_in_a_line,
)
from api.errors import sentence
from api.serving.logs import show_warnings_visibly
from domain.errors import MilepostError, StoreUnavailable
from domain.log.refusals import refusal_of
from domain.unseen import visible

NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What the system answers a program whose file is on a full or broken disk."""


class OneLineErrors(click.Group):
    """A group of commands that prints an error as one line."""

    when_loaded: Callable[[], object] | None = None
    """What to call when a command is loaded, before it runs."""

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        """Read the arguments, some of which print a text such as a help."""
        with output_faults_in_a_line():
            return super().make_context(*arguments, **options)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse arguments that are not UTF-8: no job, file or name is called so."""
        refuse_other_bytes(args)
        return super().parse_args(ctx, args)

    def resolve_command(self, *arguments: Any) -> Any:
        """Load the command that the arguments name."""
        resolved = super().resolve_command(*arguments)
        if self.when_loaded:
            self.when_loaded()
        return resolved

    def invoke(self, context: click.Context) -> Any:
        """Run a command; print an error of Milepost as a message without a traceback."""
        try:
            with output_faults_in_a_line():
                result = super().invoke(context)
                sys.stdout.flush()
        except StoreUnavailable as error:
            reason = str(error) or sentence(error)
            is_away = refusal_of(error) == "away"
            what = "does not answer" if is_away else "cannot be used"
            message = f"the database {what}: {reason}"
            raise click.ClickException(_on_one_line(message)) from error
        except MilepostError as error:
            raise click.ClickException(_on_one_line(sentence(error))) from error
        except NoArgsIsHelpError:  # its message is the help of a group, which has many lines
            raise
        except click.ClickException as error:
            error.message = _on_one_line(error.message)  # type: ignore[misc]  # final for kinds
            raise
        except KeyboardInterrupt:
            # A command with more to say about an interruption handles it before this line.
            context.exit(INTERRUPTED)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            message = f"{error.filename or 'a file'} cannot be used: {error.strerror}"
            raise click.ClickException(_on_one_line(message)) from error
        return result


def _on_one_line(message: str) -> str:
    return visible(" ".join(message.split()))


def run(when_loaded: Callable[[], object] = lambda: None) -> None:
    """Run `milepost` as a program of its own; call `when_loaded` before the command runs."""

    def loaded() -> None:
        # Imported modules are never garbage, so the collector need not visit them.
        gc.freeze()
        when_loaded()

    open_closed_streams()
    name_faults_of_output()
    escape_what_no_encoding_has()
    show_warnings_visibly()
    main.when_loaded = loaded
    main()


@click.group(
    cls=OneLineErrors,
    commands=Commands(
        {
            "serve": "api.cli.serving.serve:serve",
            "project": "api.cli.serving.serve:project",
            "init-db": "api.cli.serving.serve:init_db",
            "status": "api.cli.looking.status:status",
            "jobs": "api.cli.looking.jobs:jobs",
            "fail": "api.cli.operating.operate:fail",
            "cancel": "api.cli.operating.operate:cancel",
            "retry": "api.cli.operating.operate:retry",
            "stop": "api.cli.operating.operate:stop",
            "stopped": "api.cli.operating.operate:stopped",
            "audit": "api.cli.looking.audit:audit",
            "replay": "api.cli.looking.replay:replay",
            "verify": "api.cli.proving.verify:verify",
            "checkpoint": "api.cli.proving.checkpoint:checkpoint",
            "deadlines": "api.cli.operating.deadlines:deadlines",
            "demo": "api.cli.remote.demo:demo",
            "watch": "api.cli.remote.watch:watch",
            "top": "api.cli.remote.top:top",
            "link": "api.cli.remote.link:link",
            "losses": "api.cli.operating.losses:losses",
            "rebuild": "api.cli.operating.rebuild:rebuild",
            "backup": "api.cli.moving.backup:backup",
            "export": "api.cli.moving.export:export",
            "import": "api.cli.moving.import_:import_",
            "tokens": "api.cli.serving.tokens:tokens",
            "workflows": "api.cli.serving.workflows:workflows",
        }
    ),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="milepost")
def main() -> None:
    """Record what happens to provisioning jobs and show people how far they are.

    Settings come from the environment: see docs/reference/settings.md.
    """
