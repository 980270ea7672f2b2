"""Playing the story: each act at its time, and a look at the jobs in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from time import monotonic
from typing import Any, Final

from api.client.server import Refused
from api.demo.server import Server
from api.demo.story import CAST, LOST, Command, Part, Register, Report, Scene, scenes

LOOK_SECONDS: Final = 0.25
"""How often the jobs are looked at."""
LOOKS_AT_SILENCE: Final = 120
"""How many looks the silent job gets before the play ends without its end: half a minute."""
UNDER_WAY: Final = ("pending", "provisioning")
INTERRUPTED: Final = "the demo was interrupted"


class Row:
    """A job of the play: its part, what was done for it last, and how the server shows it."""

    def __init__(self, part: Part, tag: str) -> None:
        self.part = part
        self.job_id = f"{part.agent}-{tag}"
        self.words = ""
        self.job: dict[str, Any] | None = None

    @property
    def is_under_way(self) -> bool:
        """True while the job has not ended, as far as the server was seen."""
        return self.job is not None and self.job["status"] in UNDER_WAY

    @property
    def left_a_machine(self) -> bool:
        """Tell whether the job failed and its machine is not confirmed as gone yet."""
        job = self.job
        return bool(job and job["rollback_requested_at"] and not job["stopped_at"])


class Play:
    """One play of the story, under a tag that no earlier play had."""

    def __init__(
        self,
        server: Server,
        tag: str,
        speed: float,
        wait: Callable[[float], object],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.rows = [Row(part, tag) for part in CAST]
        self.patience = ""
        """Why the server gave the silent job up too late for this play; else an empty text."""
        self._server = server
        self._tag = tag
        self._speed = speed
        self._wait = wait
        self._clock = clock

    def run(self) -> Iterator[Sequence[Row]]:
        """Play, and yield the rows after each act and each look."""
        began = self._clock()
        for scene in scenes(self._tag):
            due = began + scene.at / self._speed
            while (left := due - self._clock()) > 0:
                yield self._looked(min(left, LOOK_SECONDS))
            row = self._row(scene.part)
            # Before the act: an interruption in the middle of it must find the job.
            row.words = scene.words
            self._do(scene, row)
            yield self._looked()
        yield from self._watched_silence()

    def leave(self) -> None:
        """End what is under way, so that no job of an interrupted play needs somebody."""
        for row in self.rows:
            if not row.words:
                continue
            try:
                row.job = self._server.job(row.job_id)
            except Refused as refused:
                if refused.status != HTTPStatus.NOT_FOUND:
                    raise
                continue  # its registration was interrupted
            if row.is_under_way:
                self._server.command(row.job_id, "cancel", INTERRUPTED)
            elif row.left_a_machine:
                self._server.command(row.job_id, "stopped", INTERRUPTED)

    def _watched_silence(self) -> Iterator[Sequence[Row]]:
        """Wait until the silent job is given up, or cannot be for now."""
        row = self._row(LOST)
        row.words = "silence"
        for _ in range(LOOKS_AT_SILENCE):
            yield self._looked(LOOK_SECONDS)
            if not row.is_under_way:
                return
            assert row.job is not None
            if row.job["health"]["state"] == "unresponsive":
                self.patience = self._server.why_nothing_times_out()
                if self.patience:
                    return

    def _looked(self, after_seconds: float = 0.0) -> Sequence[Row]:
        if after_seconds:
            self._wait(after_seconds)
        for row in self.rows:
            if row.words:
                row.job = self._server.job(row.job_id)
        return self.rows

    def _row(self, part: Part) -> Row:
        return next(row for row in self.rows if row.part is part)

    def _do(self, scene: Scene, row: Row) -> None:
        match scene.act:
            case Register(workflow):
                self._server.register(row.job_id, row.part.agent, workflow)
            case Command(name, reason):
                self._server.command(row.job_id, name, reason)
            case Report(fields, run_attempt):
                run = {"workflow_run_id": f"run-{self._tag}", "run_attempt": run_attempt}
                callback = {"job_id": row.job_id, **run, **fields}
                self._server.report(row.job_id, f"{row.job_id}-{scene.at:g}", callback)
