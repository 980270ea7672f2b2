"""`make install` on a machine where something is missing: it says what, and the next try works.

No package is installed: the Python of these tests makes an environment whose pip only notes its
arguments.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 30
MAKES_AN_ENVIRONMENT = """
*"-m venv"*)
  case "$*" in *--clear*) rm -rf .venv ;; esac
  mkdir -p .venv/bin
  ln -sf {python} .venv/bin/python
  {rest}
  ;;
"""
LIKE_DEBIAN = """
*"import ensurepip"*) echo "No module named 'ensurepip'" >&2; exit 1 ;;
"""
NOT_CREATED = """\
echo "The virtual environment was not created successfully because ensurepip is not available."
  exit 1"""
COMPLETE = "touch .venv/bin/pip"
PIP = """\
case "$*" in *"-m pip"*)
  test -e .venv/bin/pip || {{ echo "No module named pip" >&2; exit 1; }}
  mkdir installing || {{ echo "another pip is at work" >&2; exit 1; }}
  echo "$@" user=$PIP_USER >> pip-calls
  sleep 0.3  # an installation takes its time
  rmdir installing
  exit {status}
  ;;
esac"""


class Machine:
    """A checkout of the Makefile, and a `python3` that can be exchanged."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "checkout"
        self.checkout.mkdir()
        for name in ("Makefile", "pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, self.checkout)
        self._programs = folder / "bin"
        self._programs.mkdir()

    def gets_python(self, *, makes: str, lacks: str = "", pip_status: int = 0) -> None:
        """Install a `python3` that makes environments so, and lacks modules so."""
        python = self._programs / "python3"
        making = MAKES_AN_ENVIRONMENT.format(python=python, rest=makes)
        script = f'#!/bin/sh\n{PIP.format(status=pip_status)}\ncase "$*" in {lacks}{making}esac\n'
        # What an environment's making ends with must not go on to the real Python.
        script += f'case "$*" in *"-m venv"*) exit 0 ;; esac\nexec {sys.executable} "$@"\n'
        python.write_text(script)
        python.chmod(0o755)

    def make(self, *goals: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run make."""
        return subprocess.run(
            ["make", *(goals or ("install",))],  # noqa: S607
            cwd=self.checkout,
            env={"PATH": f"{self._programs}{os.pathsep}{os.environ['PATH']}", **environment},
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    @property
    def installs(self) -> int:
        """How often pip was asked to install."""
        notes = self.checkout / "pip-calls"
        return notes.read_text().count(" install ") if notes.exists() else 0


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine without an environment."""
    return Machine(tmp_path)


def test_a_python_without_ensurepip_is_said_with_the_package_to_install(machine: Machine) -> None:
    machine.gets_python(makes=NOT_CREATED, lacks=LIKE_DEBIAN)

    done = machine.make()

    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    assert done.returncode != 0
    assert "lacks ensurepip, which makes environments" in done.stderr
    assert done.stderr.splitlines()[0].endswith(f"sudo apt install {package}")
    assert not (machine.checkout / ".venv").exists()


def test_a_half_made_environment_is_made_anew(machine: Machine) -> None:
    machine.gets_python(makes=NOT_CREATED)
    assert machine.make().returncode != 0
    assert (machine.checkout / ".venv/bin/python").exists()

    machine.gets_python(makes=COMPLETE)
    done = machine.make()

    assert done.returncode == 0, done.stderr
    assert machine.installs == 1


def test_a_failed_installation_is_tried_again_and_a_complete_one_is_not(machine: Machine) -> None:
    machine.gets_python(makes=COMPLETE, pip_status=1)
    assert machine.make().returncode != 0

    machine.gets_python(makes=COMPLETE)
    assert machine.make().returncode == 0
    assert machine.make().returncode == 0

    assert machine.installs == 2


def test_an_installation_without_a_network_says_what_to_do(machine: Machine) -> None:
    machine.gets_python(makes=COMPLETE, pip_status=1)

    done = machine.make()

    assert done.returncode != 0
    assert "pip could not install the packages; above it says why." in done.stderr
    assert "The next make tries again." in done.stderr


def test_a_pip_that_installs_for_the_user_by_default_installs_into_the_environment(
    machine: Machine,
) -> None:
    """With `user = true` in its settings, pip refuses to install into an environment."""
    machine.gets_python(makes=COMPLETE)

    assert machine.make(PIP_USER="1").returncode == 0

    assert "user=0" in (machine.checkout / "pip-calls").read_text()


def test_the_installation_is_announced_and_pip_may_speak(machine: Machine) -> None:
    machine.gets_python(makes=COMPLETE)

    done = machine.make()

    assert "Installing what serving needs into .venv; this takes about a minute." in done.stdout
    assert "--quiet" not in (machine.checkout / "pip-calls").read_text()


def test_two_goals_at_once_let_no_two_pips_write_the_environment(machine: Machine) -> None:
    machine.gets_python(makes=COMPLETE)

    done = machine.make("-j", ".venv/dev", ".venv/test")

    assert done.returncode == 0, done.stderr
    assert machine.installs == 2
