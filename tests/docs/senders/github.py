"""As much of a GitHub runner as the example needs: steps, conditions, expressions, signals."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from typing import Any

import yaml

from tests.docs.senders.page import example
from tests.docs.senders.workplace import PATIENCE_SECONDS, Workplace

WORKFLOW = yaml.safe_load(example("GitHub Actions", "yaml"))
CANCELLED = -1

Meanwhile = Callable[[subprocess.Popen[str]], None]


class Runner:
    """Runs the jobs of the example as one run of the workflow."""

    def __init__(self, workplace: Workplace, attempt: int = 1) -> None:
        self._workplace = workplace
        folder = workplace.folder
        self._github_env = folder / "github-env"
        event = folder / "event.json"
        inputs = {name: workplace.registered[name] for name in ("callback_url", "callback_key")}
        event.write_text(json.dumps({"inputs": inputs}), encoding="utf-8")
        self._env = {
            "PATH": workplace.env["PATH"],
            "HOME": str(folder),
            **{name: value for name, value in workplace.env.items() if name == "MILEPOST_WAIT"},
            "GITHUB_RUN_ID": "4711",
            "GITHUB_RUN_ATTEMPT": str(attempt),
            "GITHUB_ENV": str(self._github_env),
            "GITHUB_EVENT_PATH": str(event),
        }
        self.log = ""

    def job(
        self, name: str, *, cancel: str = "", lose: str = "", when: Meanwhile | None = None
    ) -> str:
        """Run a job; return its result.

        The step `cancel` is cancelled, or the runner is lost with the step `lose`, as soon as
        `when` returns.
        """
        job = WORKFLOW["jobs"][name]
        env, result = dict(self._env), "success"
        self._github_env.write_text("", encoding="utf-8")
        for step in job["steps"]:
            if "run" not in step or not (result == "success" or "always()" in step.get("if", "")):
                continue
            own = {key: self._value(value, result) for key, value in step.get("env", {}).items()}
            status = self._step(step, {**env, **own}, when, cancel, lose)
            if lose == step.get("name"):
                return "failure"
            if cancel == step.get("name"):
                result = "cancelled"
            elif status and result == "success":
                result = "failure"
            lines = self._github_env.read_text(encoding="utf-8").splitlines()
            env |= dict(line.split("=", 1) for line in lines)
        self.result = result
        return result

    def _value(self, text: str, status: str) -> str:
        values = {
            "job.status": status,
            "needs.provision.result": getattr(self, "result", "failure"),
        }
        return re.sub(r"\$\{\{ (\S+) \}\}", lambda found: values[found[1]], text)

    def _step(
        self, step: Any, env: dict[str, str], when: Meanwhile | None, cancel: str, lose: str
    ) -> int:
        process = subprocess.Popen(
            ["bash", "-e", "-c", step["run"]],  # noqa: S607
            cwd=self._workplace.folder,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        if when and step.get("name") in (cancel, lose):
            when(process)
            if lose:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.send_signal(signal.SIGINT)  # to the shell of the step alone
        self.log += process.communicate(timeout=PATIENCE_SECONDS)[0]
        return process.returncode
