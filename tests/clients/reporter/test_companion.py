"""The process beside the command: whether a signal came to the whole group."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.clients.reporter.program import FILE, PATIENCE_SECONDS

BEGIN = """
import os, signal, sys, threading
sys.path.insert(0, sys.argv[1])
import milepost_report as reporter
reporter.SIGNAL_SECONDS = float(sys.argv[2])
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
companion = reporter.Companion(False)
with open(f"/proc/self/task/{os.getpid()}/children") as children:
    beside = int(children.read())
"""


def run(script: str, signal_seconds: float) -> str:
    """Run a script that has a companion; return what it prints."""
    return subprocess.run(
        [sys.executable, "-c", BEGIN + script, str(Path(FILE).parent), str(signal_seconds)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=PATIENCE_SECONDS,
    ).stdout


def test_a_signal_that_comes_to_the_companion_a_moment_later_is_one_of_the_group() -> None:
    late = """
asking = threading.Thread(target=lambda: print(companion.heard(signal.SIGINT)))
asking.start()
asking.join(0.3)  # by now, who does not wait has answered
os.kill(beside, signal.SIGINT)
asking.join()
"""

    assert run(late, signal_seconds=PATIENCE_SECONDS) == "True\n"


def test_of_two_signals_to_the_group_each_is_known() -> None:
    both = """
os.kill(beside, signal.SIGINT)
os.kill(beside, signal.SIGTERM)
print(companion.heard(signal.SIGINT), companion.heard(signal.SIGTERM))
"""

    assert run(both, signal_seconds=PATIENCE_SECONDS) == "True True\n"


def test_a_signal_to_the_reporter_alone_is_none_of_the_group() -> None:
    assert run("print(companion.heard(signal.SIGINT))", signal_seconds=0.01) == "False\n"
