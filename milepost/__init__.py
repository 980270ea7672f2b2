"""The front door of Milepost: its command, and its application for any WSGI server.

Milepost's code imports `domain`, `projections` and `api`. Other projects have packages of these
names too, so an installed Milepost keeps its own inside this package, in `packages/`. This module
puts that folder first on `sys.path` and imports the three before anything else can take their
names. Spawned processes inherit `sys.path`.
"""

from __future__ import annotations

import signal
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from api.http.flask_side.app import App

HERE = Path(__file__).resolve().parent
INSTALLED = HERE / "packages"
# In a checkout the three are beside this package, not inside it.
FOLDER = INSTALLED if INSTALLED.is_dir() else HERE.parent
NAMES = ("domain", "projections", "api")
NO_DOCSTRINGS = (
    "PYTHONOPTIMIZE: Milepost's messages are docstrings, which -OO and the value 2 take away; use "
    "-O, the value 1, or neither"
)


def run() -> None:
    """Run the `milepost` command."""
    if _lacks_docstrings():
        sys.exit(f"Error: {NO_DOCSTRINGS}")
    # Loading takes a tenth of a second. Until the command can say something better, Ctrl-C ends it
    # as it ends a program that is not of Python: without a traceback.
    handles_ctrl_c = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if handles_ctrl_c:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from api.cli import run as run_command

    def handle_ctrl_c() -> None:
        if handles_ctrl_c:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    run_command(handle_ctrl_c)


def create_app() -> App:
    """Return the WSGI application: `gunicorn 'milepost:create_app()'`.

    It reads the settings from the environment; see `api.serving.wsgi`. Raises `InvalidSetting`,
    and `StoreUnavailable` when the database does not answer.
    """
    if _lacks_docstrings():
        from api.settings.variables import InvalidSetting

        raise InvalidSetting(NO_DOCSTRINGS)
    from api.serving.wsgi import application

    return application()


def _lacks_docstrings() -> bool:
    return sys.flags.optimize > 1


def _import_packages() -> None:
    for name in NAMES:
        if (loaded := sys.modules.get(name)) and not _is_ours(loaded):
            raise ImportError(
                f"milepost needs its own package {name!r}, but this process has already imported "
                f"{loaded!r}; import milepost in a process of its own"
            )
    sys.path.insert(0, str(FOLDER))
    for name in NAMES:
        import_module(name)


def _is_ours(module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).resolve() == FOLDER / module.__name__ / "__init__.py"


_import_packages()
