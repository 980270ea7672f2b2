"""Deadlines: give up the jobs that missed theirs, unless it may be Milepost's own fault.

A step of this chore does, in this order:

1. Look at both clocks: an absence or a jump of the clock asks for patience (`presence.py`).
2. Read the next rows that are due, by the index, at most `SLICE`.
3. If there are any: hold if most jobs fell silent at once (`hold.py`).
4. Ask each job. It decides on its own events, in the transaction that appends.

What steps 1 and 3 found out is a note in the store, so that the next projector goes on with it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

import msgspec

from domain.application import Milepost
from domain.errors import Unavailable
from domain.job.deadlines import Question, all_due, missed, unresponsive_at
from domain.job.events import DeadlineKind
from domain.job.health import LATE_SECONDS
from domain.workflows.definition import Workflow, Workflows
from projections.chore import AT_ONCE, IDLE_SECONDS
from projections.reactions.hold import Held
from projections.reactions.presence import KEEP_SECONDS, PATIENCE, Presence, since_boot
from projections.read_model.bounded import is_full
from projections.read_model.contract import (
    FIRST_START,
    NOTE_OF_DEADLINES,
    REFUSED,
    RESUMED,
    ReadModel,
)
from projections.read_model.rows import DueRow
from projections.views.instance import Instance
from projections.views.view import UnreadableDocument, Views

log = logging.getLogger("milepost.deadlines")

SLICE = 50
"""How many due jobs one step judges: each one may cost a commit, and events wait meanwhile."""
MAX_LAG = 1_000
"""With more unfolded events than this, rows say too little of who is silent to begin a hold."""


class Note(msgspec.Struct, frozen=True):
    """What this chore stores for the next projector, and for those who ask how it stands."""

    presence: Presence = Presence()
    held: Held = Held()
    refused: str | None = None

    def sentence(self, now: datetime) -> str:
        """Say why nothing is given up now; an empty text if nothing hinders it."""
        if self.held.hold:
            return self.held.hold.sentence()
        presence = self.presence
        if presence.patient_until and presence.is_patient(now):
            return f"patient until {presence.patient_until:%H:%M:%S} UTC: {presence.reason}"
        return ""


def noted(read_model: ReadModel) -> Note:
    """Return the stored note; an empty one if there is none, or if another release wrote it."""
    text = read_model.note(NOTE_OF_DEADLINES)
    try:
        return msgspec.json.decode(text, type=Note) if text else Note()
    except msgspec.DecodeError:
        return Note()


class DeadlineWatch:
    """A chore: find jobs that are due in the read model, and let each job decide on its own events.

    A row that lags behind may name a job that is alive, or name a due job late. It cannot fail a
    job that is alive. A round goes through all rows that are due, slice by slice, and the next
    round begins with the first again: no job that cannot be judged keeps another one waiting.
    """

    def __init__(
        self,
        milepost: Milepost,
        read_model: ReadModel,
        workflows: Workflows,
        passed: Callable[[], float] = since_boot,
    ) -> None:
        self._milepost = milepost
        self._read_model = read_model
        self._workflows = workflows
        self._passed = passed
        self._views = Views(milepost.mapper.cipher)
        self._note = Note()
        self._looked_at: float | None = None
        self._kept: str | None = None
        self._kept_at = 0.0
        self._first_start: datetime | None = None
        self._last: DueRow | None = None
        self._logged: set[type[Exception]] = set()

    def begin(self) -> None:
        """Go on with the stored note, so that a patience lasts as long with several projectors."""
        self._last = None
        self._logged.clear()
        if self._read_model.note(NOTE_OF_DEADLINES) != self._kept:
            # Another projector was active since: this one's last look says nothing.
            self._looked_at = None
        self._note = noted(self._read_model)
        text = self._read_model.note(FIRST_START)
        if text is None:
            text = self._milepost.store.now().isoformat()
            self._read_model.keep_note(FIRST_START, text)
        self._first_start = datetime.fromisoformat(text)

    def step(self) -> float:
        """Judge at most `SLICE` jobs that are due; return seconds until the next step is due."""
        now = self._look()
        if self._note.presence.is_patient(now):
            return IDLE_SECONDS
        if self._holds(now):
            return IDLE_SECONDS
        due = self._read_model.due(self._note.presence.horizon(now), self._last, SLICE)
        questions = [(row.job_id, question) for row in due if (question := self._about(row, now))]
        if questions and self._begins_to_hold(now):
            return IDLE_SECONDS
        for job_id, question in questions:
            self._judge(job_id, question)
        self._last = due[-1] if due and is_full(due, SLICE) else None
        return AT_ONCE if self._last else IDLE_SECONDS

    # Who was away

    def _look(self) -> datetime:
        """Look at both clocks, and return the time of the store's."""
        began = self._passed()
        now = self._milepost.store.now()
        ended = self._passed()
        note, position = self._note, self._milepost.store.newest_position()
        if self._looked_at is None:
            presence = note.presence.returned(now, position)
        else:
            passed = (began + ended) / 2 - self._looked_at
            presence = note.presence.looked(now, passed, position, slack=ended - began)
        self._looked_at = (began + ended) / 2
        held = note.held
        if presence.jumps != note.presence.jumps:
            held = held.again(now, self._read_model.silent(now, held.until))
        presence = presence.without_old_jumps(now, self._longest())
        refused = self._read_model.note(REFUSED)
        if refused and refused != note.refused:
            since = min(now, datetime.fromisoformat(refused))
            presence = presence.patient(since + PATIENCE, "callbacks were answered 503")
        if presence.reason != note.presence.reason or presence.jumps != note.presence.jumps:
            # The first look of a new store is not worth a warning: there is nothing to look after.
            level = logging.WARNING if note.presence.seen_at else logging.INFO
            log.log(level, "no job is given up for %.0f s: %s", LATE_SECONDS, presence.reason)
        self._keep(Note(presence, held, refused), ended)
        return now

    def _longest(self) -> float:
        return max(
            seconds or 0
            for workflow in self._workflows
            for seconds in (
                *msgspec.structs.astuple(workflow.deadlines),
                *workflow.step_deadlines.values(),
            )
        )

    def _keep(self, note: Note, passed: float) -> None:
        """Store the note if more than the time of the last look changed, else now and then."""
        seen = msgspec.structs.replace(self._note.presence, seen_at=note.presence.seen_at)
        changed = note != msgspec.structs.replace(self._note, presence=seen)
        self._note = note
        if changed or passed >= self._kept_at + KEEP_SECONDS:
            self._kept = msgspec.json.encode(note).decode()
            self._read_model.keep_note(NOTE_OF_DEADLINES, self._kept)
            self._kept_at = passed

    # All at once

    def _begins_to_hold(self, now: datetime) -> bool:
        held = self._note.held
        silent = self._read_model.silent(now, held.until)
        if not held.begun(now, silent, 0).hold or self._lags():
            return False
        judged = self._read_model.silent(held.until) if held.until else 0
        begun = held.begun(now, silent, self._read_model.provisioning() - judged)
        if begun.hold:
            log.error("%s", begun.hold.sentence())
            self._keep(msgspec.structs.replace(self._note, held=begun), self._passed())
        return begun.hold is not None

    def _holds(self, now: datetime) -> bool:
        held = self._note.held
        if held.hold is None:
            return False
        still = self._read_model.silent(held.hold.since, held.until)
        resumed = self._read_model.note(RESUMED)
        reason = held.end(
            still,
            now,
            self._workflows.default.deadlines.heartbeat_seconds,
            datetime.fromisoformat(resumed) if resumed else None,
        )
        if reason is None:
            return True
        ended, presence = held.ended(now, reason), self._note.presence
        if still < held.hold.silent:
            presence = presence.patient(now + PATIENCE, "silent jobs were heard again")
        log.warning("%s", ended.why)
        self._keep(Note(presence, ended, self._note.refused), self._passed())
        return presence.is_patient(now)

    def _lags(self) -> bool:
        lag = self._read_model.log.newest_position() - self._read_model.position()
        return lag > MAX_LAG

    # Each job

    def _about(self, row: DueRow, now: datetime) -> Question | None:
        """Return the question for a job; None if the jumps of the clock moved its deadlines."""
        try:
            instance = self._views.instance.load(row.job_id, row.document)
        except UnreadableDocument:
            return Question(asked_at=now, first_start=self._first_start)
        workflow = self._workflows.recorded(instance.workflow)
        question = Question(
            asked_at=now,
            first_start=self._first_start,
            held=self._held_for(workflow, instance),
        )
        if self._note.presence.jumps:
            question = msgspec.structs.replace(
                question,
                allowance=self._allowance(workflow, instance, now),
                version=instance.version,
            )
        return (
            question
            if missed(workflow, instance.watched, instance.waiting_since, question, now)
            else None
        )

    def _held_for(self, workflow: Workflow, instance: Instance) -> str | None:
        held = self._note.held
        silent_at = unresponsive_at(workflow, instance.watched)
        return held.why if held.until and silent_at and silent_at <= held.until else None

    def _allowance(
        self, workflow: Workflow, instance: Instance, now: datetime
    ) -> dict[DeadlineKind, float]:
        return {
            each.kind: self._note.presence.allowance(each.since, instance.position, now)
            for each in all_due(
                workflow, instance.watched, instance.waiting_since, self._first_start
            )
        }

    def _judge(self, job_id: str, question: Question) -> None:
        try:
            self._milepost.time_out(job_id, question)
        except Unavailable:
            raise
        except Exception as error:
            # A job that cannot be judged must not keep the other jobs from their judgement. It is
            # asked again every second, so that each kind of error is logged once.
            if type(error) not in self._logged:
                self._logged.add(type(error))
                log.exception("job %r could not be timed out", job_id, extra={"job_id": job_id})
