"""The `milepost` command. An error is one line on stderr with exit status 1, or 2 for usage."""

from __future__ import annotations

import errno
import gc
import sys
from typing import Any, Final

import click
from click.exceptions import NoArgsIsHelpError

from api.cli.looking.audit import audit
from api.cli.looking.jobs import jobs
from api.cli.looking.replay import replay
from api.cli.looking.status import status
from api.cli.moving.backup import backup
from api.cli.moving.export import export
from api.cli.moving.import_ import import_
from api.cli.operating.deadlines import deadlines
from api.cli.operating.losses import losses
from api.cli.operating.operate import cancel, fail, retry, stop, stopped
from api.cli.operating.rebuild import rebuild
from api.cli.proving.checkpoint import checkpoint
from api.cli.proving.verify import verify
from api.cli.remote.demo import demo
from api.cli.remote.link import link
from api.cli.remote.top import top
from api.cli.remote.watch import watch
from api.cli.serving.serve import init_db, project, serve
from api.cli.serving.tokens import tokens
from api.cli.serving.workflows import workflows
from api.cli.terminal.encoding import escape_what_no_encoding_has, refuse_other_bytes
from api.cli.terminal.output import INTERRUPTED
from api.cli.terminal.standard_output import name_faults_of_output, output_faults_in_a_line
from api.errors import sentence
from api.serving.logs import show_warnings_visibly
from domain.errors import MilepostError, StoreUnavailable
from domain.log.refusals import refusal_of
from domain.unseen import visible

NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What the system answers a program whose file is on a full or broken disk."""


class OneLineErrors(click.Group):
    """A group of commands that prints an error as one line."""

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        """Read the arguments, some of which print a text such as a help."""
        with output_faults_in_a_line():
            return super().make_context(*arguments, **options)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse arguments that are not UTF-8: no job, file or name is called so."""
        refuse_other_bytes(args)
        return super().parse_args(ctx, args)

    def invoke(self, context: click.Context) -> Any:
        """Run a command; print an error of Milepost as a message without a traceback."""
        try:
            with output_faults_in_a_line():
                result = super().invoke(context)
                if sys.stdout:  # Python has none if it was closed before
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


def run() -> None:
    """Run `milepost` as a program of its own."""
    name_faults_of_output()
    escape_what_no_encoding_has()
    show_warnings_visibly()
    # Imported modules are never garbage, so the collector need not visit them.
    gc.freeze()
    main()


@click.group(cls=OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="milepost")
def main() -> None:
    """Record what happens to provisioning jobs and show people how far they are.

    Settings come from the environment: see docs/reference/settings.md.
    """


for command in (
    serve,
    project,
    init_db,
    status,
    jobs,
    fail,
    cancel,
    retry,
    stop,
    stopped,
    audit,
    replay,
    verify,
    checkpoint,
    deadlines,
    demo,
    watch,
    top,
    link,
    losses,
    rebuild,
    backup,
    export,
    import_,
    tokens,
    workflows,
):
    main.add_command(command)
