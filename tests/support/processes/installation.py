"""An environment of its own into which wheels are installed, and a wheel that has an `api`."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from importlib.metadata import Distribution
from pathlib import Path

PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
NEIGHBOUR = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "neighbour"
version = "1"

[tool.hatch.build.targets.wheel]
packages = ["api"]
"""


class Installation:
    """A virtual environment that sees the dependencies of the tests, but not this checkout."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False)
        self.python = folder / "bin" / "python"
        self.milepost = folder / "bin" / "milepost"
        paths = {"base": str(folder), "platbase": str(folder)}
        self.site_packages = Path(sysconfig.get_path("purelib", "venv", paths))
        # Python reads no .pth file in a folder that a .pth file names, so the editable install
        # of this checkout stays out.
        dependencies = sysconfig.get_path("purelib")
        (self.site_packages / "dependencies.pth").write_text(dependencies + "\n", encoding="utf-8")

    def install(self, wheel: Path) -> None:
        """Install a wheel without its dependencies."""
        environment = ("--python", str(self.python))
        run(*PIP, *environment, "install", "--no-deps", "--no-index", str(wheel))

    def distribution(self, name: str) -> Distribution:
        """Return what is installed under this name."""
        [found] = Distribution.discover(name=name, path=[str(self.site_packages)])
        return found


def build_wheel(project: Path, folder: Path) -> Path:
    """Build the wheel of a project with the backend that is installed here."""
    options = ("--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(folder))
    run(*PIP, "wheel", *options, str(project))
    [wheel] = folder.glob("*.whl")
    return wheel


def neighbour(folder: Path) -> Path:
    """Build the wheel of a distribution whose one top-level package is `api`."""
    project = folder / "neighbour"
    (project / "api").mkdir(parents=True)
    (project / "pyproject.toml").write_text(NEIGHBOUR, encoding="utf-8")
    (project / "api" / "__init__.py").write_text('OF = "the neighbour"\n', encoding="utf-8")
    wheels = folder / "wheels"
    wheels.mkdir()
    return build_wheel(project, wheels)


def run(*command: str) -> None:
    """Run a command that succeeds."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
