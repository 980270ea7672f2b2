"""docs/lifecycle.md says what the code does: every row of its table is played."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from domain.job.callback import Callback
from domain.job.provisioning_job import ProvisioningJob
from domain.job.runs.doubtful import doubtful
from domain.job.runs.machines import machines_in_use, machines_to_remove
from domain.job.runs.orders import Requested
from domain.workflows.definition import Workflows
from projections.views import instance as instances
from projections.views.instance import Instance
from tests.support.jobs.orders import COMMANDS, order
from tests.support.stores.deployment import NOON

PAGE = Path(__file__).parents[2] / "docs" / "lifecycle.md"
WORD = re.compile(
    r"(?:(?P<run>\w+)(?:#(?P<attempt>\d+))?: )?(?P<kind>[a-z]+)(?: (?P<step>[a-z]+_[a-z]+))?"
    r"(?: on (?P<machine>[\w-]+))?(?: @(?P<clock>[\d:.]+))?"
)


ANOTHER = "another job: "
NAMED = re.compile(r"(?P<name>rollback of|asked about|\w+) (?P<value>.+)")


class Example(NamedTuple):
    """A row of the table."""

    rule: str
    words: tuple[str, ...]
    shown: str


def examples() -> list[Example]:
    rows, rule = list[Example](), ""
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != 3 or "`" not in cells[1]:
            continue
        rule = rule if cells[0] == "…" else cells[0]
        rows.append(Example(rule, tuple(re.findall(r"`([^`]+)`", cells[1])), cells[2]))
    return rows


def clock(text: str) -> datetime:
    hours, minutes, *seconds = text.split(":")
    past = timedelta(hours=int(hours), minutes=int(minutes), seconds=float(*(seconds or ["0"])))
    return NOON.replace(hour=0) + past


class Story:
    """A job and its instance, as the words come; another job beside it."""

    def __init__(self) -> None:
        self.now = NOON + timedelta(minutes=30)
        self.job = ProvisioningJob("job")
        self.another = ProvisioningJob("job")
        self.instance = Instance("job")

    def tell(self, word: str) -> None:
        of_another = word.removeprefix(ANOTHER)
        if of_another != word:
            self.another = self.another.report(callback(of_another), self.now).job
            self.now += timedelta(minutes=1)
            return
        if word == "timeout":
            self.now += timedelta(minutes=16)
            outcome = self.job.time_out(self.now)
        elif word == "!stop":
            outcome = self.job.stop(Requested(self.now, "ops"))
        elif word.startswith("!"):
            outcome = order(self.job, COMMANDS[COMMANDS.index(word[1:])], self.now)
        else:
            outcome = self.job.report(callback(word), self.now)
        for event in outcome.events:
            placed = msgspec.structs.replace(event, position=event.originator_version)
            self.instance = instances.evolve(self.instance, placed)
        self.job = outcome.job
        self.now += timedelta(minutes=1)

    def shown(self, workflows: Workflows) -> dict[str, str]:
        attempt = self.instance.attempt
        step = self.instance.current_step(workflows)
        shared = machines_to_remove(self.job.runs) & machines_in_use(self.another.runs)
        rollbacks = [
            machine or ""
            for each in self.instance.runs.attempts
            for machine, _ in each.machines_left
            if machine not in shared
        ]
        return {
            "status": self.instance.status,
            "run": attempt.run_id.value if attempt.run_id else "",
            "attempt": str(attempt.number),
            "at": step or "",
            "on": attempt.server_id.value if attempt.server_id else "",
            "rollback of": " and ".join(rollbacks),
            "asked about": " and ".join(machine for _, machine in doubtful(self.job.runs)),
            "shared": " and ".join(sorted(shared)),
        }


def callback(word: str) -> Callback:
    match = WORD.fullmatch(word)
    assert match, word
    run, attempt, kind, step, machine, time = match.groups()
    said: dict[str, object] = {
        "workflow_run_id": run,
        "run_attempt": int(attempt) if attempt else None,
        "server_id": machine,
        "step": step,
        "occurred_at": clock(time) if time else None,
    }
    if kind == "heartbeat":
        return msgspec.convert({"job_id": "job", "type": kind, **said}, Callback)
    status = "provisioning" if kind == "step" else kind
    return msgspec.convert({"job_id": "job", "status": status, **said}, Callback)


def wanted(shown: str) -> dict[str, str]:
    status, *others = shown.split(", ")
    found = {"status": status}
    for other in others:
        if other == "no rollback":
            found["rollback of"] = ""
        elif other == "no question":
            found["asked about"] = ""
        else:
            match = NAMED.fullmatch(other)
            assert match, other
            found[match["name"]] = match["value"]
    return found


@pytest.mark.parametrize("example", examples(), ids=lambda each: f"{each.rule} {each.words}")
def test_an_example_of_the_page_is_what_happens(example: Example, workflows: Workflows) -> None:
    story = Story()

    for word in example.words:
        story.tell(word)

    expected = wanted(example.shown)
    shown = story.shown(workflows)
    assert {name: shown[name] for name in expected} == expected


def test_the_page_has_examples() -> None:
    assert len(examples()) > 30
