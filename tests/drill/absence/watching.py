"""Watch a real server through one happening: in real minutes, by a clock that nobody sets."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from time import monotonic
from typing import Final

from tests.drill.absence.happenings import HAPPENINGS, Site
from tests.drill.absence.jobs import (
    ALIVE,
    DEAD,
    NO_ANSWER,
    PENDING,
    Heartbeats,
    register,
    timeouts,
)
from tests.drill.absence.outcome import BEFORE_SECONDS, Outcome

LOOK_SECONDS: Final = 1.0
AFTERWARDS_SECONDS: Final = 130
"""How long the other jobs are watched after the dead one's end: two heartbeats of each come."""
GIVES_UP_SECONDS: Final = 300
"""How long after its latest end the dead job is waited for."""
WORKFLOW: Final = """\
name = "drill"
version = 1
description = "Jobs of a drill"
waiting = "queued"
started = "creating"
blame = "creating"

[deadlines]
start_seconds = {start}
heartbeat_seconds = {heartbeat}

[[ui_steps]]
id = "queued"
label = "Queued"

[[ui_steps]]
id = "creating"
label = "Creating"

[[ui_steps]]
id = "running"
label = "Running"

[[steps]]
id = "vm_created"
activates = "running"
"""


class Interrupted(Exception):
    """Somebody ended the drill."""


class Watch:
    """One happening with its own server. `stage` says in a few words how far it is."""

    def __init__(
        self, name: str, absence: int, deadline: int, library: Path | None, stop: Event
    ) -> None:
        self.name = name
        self.stage = "starts"
        self._happening = HAPPENINGS[name]
        self._absence = absence if self._happening.lasts else 0
        self._deadline = deadline
        self._library = library
        self._stop = stop
        self._seen: list[str] = []
        self._claimed = 0.0

    def run(self) -> Outcome:
        """Start everything, let it happen, watch, and end everything."""
        with TemporaryDirectory(prefix="mp-absence-", dir="/tmp") as name:
            folder = Path(name)
            folder.chmod(0o755)
            workflows = folder / "workflows"
            workflows.mkdir()
            # A clock that is set ahead passes the start deadline while the jobs are watched. It is
            # never really due meanwhile.
            definition = WORKFLOW.format(heartbeat=self._deadline, start=self._deadline + 800)
            (workflows / "drill.toml").write_text(definition)
            with self._happening.site(folder, workflows, self._library) as site:
                return self._watch(site)

    def _watch(self, site: Site) -> Outcome:
        register(site.server, "drill@1")
        self._claimed = monotonic()
        with Heartbeats(site.server) as heartbeats:
            self.stage = "before"
            self._look_until(site, BEFORE_SECONDS)
            began = monotonic()
            with self._happening.happen(site):
                self.stage = "absent" if self._absence else "clock is set"
                self._look_until(site, BEFORE_SECONDS + self._absence)
            took = monotonic() - began if self._absence else 0.0
            self.stage = "returned"
            expected = Outcome(name=self.name, due=self._deadline, took=took, ended=None)
            ended = self._end_of_the_dead(site, expected.limit + GIVES_UP_SECONDS)
            self.stage = "afterwards"
            self._look_until(site, self._passed() + AFTERWARDS_SECONDS)
            wrong = tuple(
                f"{job_id} ({each['error']})"
                for job_id in (*ALIVE, PENDING)
                for each in timeouts(site.server, job_id)
            )
            self.stage = "is done"
            log = site.server.log.read_text().splitlines()
            return Outcome(
                name=self.name,
                due=self._deadline,
                took=took,
                ended=ended,
                wrong=wrong,
                seen=tuple(self._seen),
                logged=tuple(line for line in log if "milepost.deadlines" in line),
                answered=heartbeats.answered,
                unanswered=heartbeats.unanswered,
            )

    def _passed(self) -> float:
        return monotonic() - self._claimed

    def _look_until(self, site: Site, seconds: float) -> None:
        while self._passed() < seconds:
            self._look(site)

    def _end_of_the_dead(self, site: Site, at_most: float) -> float | None:
        while self._passed() < at_most:
            self._look(site)
            try:
                answer = site.server.get(f"/api/jobs/{DEAD}")
            except NO_ANSWER:
                continue
            if answer.status == 200 and answer.body["status"] == "failed":
                return self._passed()
        return None

    def _look(self, site: Site) -> None:
        """Keep what `/readyz` says, if that is new; then wait a little."""
        try:
            answer = site.server.get("/readyz")
        except NO_ANSWER:
            said = "(no answer)"
        else:
            said = answer.body["deadlines"] if answer.status == 200 else f"({answer.status})"
        if said not in self._seen[-1:]:
            self._seen.append(said)
        if self._stop.wait(LOOK_SECONDS):
            raise Interrupted
