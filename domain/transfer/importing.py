"""Importing a whole log: every event with its position, version and bytes, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256

import msgspec

from domain.evidence.merkle import Frontier
from domain.job.events import JobEvent
from domain.job.provisioning_job import evolve
from domain.log.mapper import JobEventMapper
from domain.log.recalling.recall import Folded, recall
from domain.log.recalling.recent_jobs import RecentJobs
from domain.log.recalling.snapshots import Snapshot, snapshot_of
from domain.log.store import Filling, JobStore
from domain.log.stored import Stored
from domain.transfer.derived_keys import DerivedKeys
from domain.transfer.jsonl import InvalidExport, Portable, decode
from domain.transfer.manifest import Manifest, Root

BATCH = 1000
BATCH_BYTES = 4 * 2**20
"""A batch of lines is at most this long, and the line that comes last."""
REMEMBERED_BYTES = 64 * 2**20
"""About as many bytes of jobs' states stay in memory. Another job is recalled when its next event
comes."""
SNAPSHOT_AFTER = 10
"""A job that leaves memory gets a snapshot if it has this many events since the last one."""


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What was imported. `unread` events are stored but could not be read, so they have no keys.

    `merkle` is the tree over the stored bytes. It is None if the events were sealed anew, because
    the new bytes have another tree.
    """

    events: int
    jobs: int
    last_position: int
    unread: int
    merkle: Root | None


def fill(
    store: JobStore,
    mapper: JobEventMapper,
    lines: Iterable[bytes],
    manifest: Manifest | None,
    progress: Callable[[int], object] = lambda length: None,
    *,
    batch: int = BATCH,
    remembered_bytes: int = REMEMBERED_BYTES,
) -> Imported:
    """Fill an empty store from the lines of an export; `progress` gets the number of bytes read.

    Raises `StoreNotEmpty`, or `InvalidExport` if the lines are no whole log or do not match the
    manifest; the message names the line. Then nothing is stored.
    """
    intake = _Intake(mapper, remembered_bytes)
    with store.filling() as filling:
        for some in _batches(enumerate(lines, start=1), batch):
            intake.take(some, filling)
            progress(intake.length)
        intake.finish(filling)
        if manifest:
            intake.check(manifest)
    return intake.result()


def _batches(
    numbered: Iterable[tuple[int, bytes]], most: int
) -> Iterator[Sequence[tuple[int, bytes]]]:
    """Yield lines in batches of at most so many, which end with the line that fills them."""
    some: list[tuple[int, bytes]] = []
    size = 0
    for number, line in numbered:
        some.append((number, line))
        size += len(line)
        if len(some) == most or size >= BATCH_BYTES:
            yield some
            some, size = [], 0
    if some:
        yield some


class _Intake:
    def __init__(self, mapper: JobEventMapper, remembered_bytes: int) -> None:
        self._keys = DerivedKeys()
        self.length = 0
        self._mapper = mapper
        self._digest = sha256()
        self._tree = Frontier()
        self._jobs = RecentJobs[Folded](remembered_bytes, Folded.weight)
        self._position = self._begun = self._unread = 0
        self._sealed_anew = False

    def take(self, batch: Sequence[tuple[int, bytes]], filling: Filling) -> None:
        """Append a batch of lines and the keys of the commands that end in it."""
        events = [(number, self._read(number, line)) for number, line in batch]
        cold = {event.job_id for _, event in events} - self._jobs.keys()
        for job_id, folded in recall(filling, cold, self._mapper).items():
            self._jobs.remember(job_id, folded)
        stored = [self._placed(number, event) for number, event in events]
        self._tree = self._tree.grown(_leaf(event) for _, event in events)
        filling.append(stored, *self._keys.take(), self._forgotten())

    def finish(self, filling: Filling) -> None:
        """Append the keys that are known only after the last event."""
        self._keys.end_command()
        claims, pointers = self._keys.take()
        filling.append((), [*claims, *self._keys.in_progress], pointers)

    def check(self, manifest: Manifest) -> None:
        """Raise `InvalidExport` if the lines do not match the manifest."""
        found = self.length, self._digest.hexdigest(), self._tree.size
        if found != (manifest.length, manifest.sha256, manifest.events):
            raise InvalidExport(
                f"The file is not the one of its manifest: {found[2]:,} events in {found[0]:,} "
                f"bytes with SHA-256 {found[1]}, where there should be {manifest.events:,} in "
                f"{manifest.length:,} with {manifest.sha256}."
            )
        if manifest.as_stored and manifest.merkle != Root.of(self._tree):
            raise InvalidExport("The events do not have the Merkle root that the manifest says.")

    def result(self) -> Imported:
        """Return what was imported."""
        return Imported(
            events=self._tree.size,
            jobs=self._begun,
            last_position=self._position,
            unread=self._unread,
            merkle=None if self._sealed_anew else Root.of(self._tree),
        )

    def _read(self, number: int, line: bytes) -> Portable:
        self._digest.update(line)
        self.length += len(line)
        try:
            return decode(line)
        except InvalidExport as error:
            raise InvalidExport(f"Line {number}: {error}.") from error

    def _forgotten(self) -> list[Snapshot]:
        """Drop the least recently used jobs from memory; return snapshots to recall them from."""
        snapshots = []
        for folded in self._jobs.evict():
            new = folded.job.version - folded.snapshot_version
            if folded.whole and new >= SNAPSHOT_AFTER:
                snapshots.append(snapshot_of(folded.job, self._mapper))
        return snapshots

    def _placed(self, number: int, event: Portable) -> Stored:
        folded = self._jobs[event.job_id]
        if event.position <= self._position:
            raise InvalidExport(
                f"Line {number}: position {event.position} comes after {self._position}."
            )
        if event.version != folded.job.version + 1:
            raise InvalidExport(
                f"Line {number}: version {event.version} of job {event.job_id!r} comes where "
                f"{folded.job.version + 1} should; this is not a whole log."
            )
        plain = self._opened(number, event)
        self._position = event.position
        self._begun += event.version == 1
        self._jobs.remember(event.job_id, self._folded(folded, event, plain))
        stored = event.state if event.sealed else self._mapper.seal(event.state)
        self._sealed_anew |= stored is not event.state
        return Stored(event.position, event.job_id, event.version, event.topic, stored)

    def _opened(self, number: int, event: Portable) -> bytes:
        if not event.sealed:
            return event.state
        if not self._mapper.seals:
            raise InvalidExport(
                f"Line {number}: the event is sealed; set CIPHER_KEY and COMPRESSOR_TOPIC to what "
                "they were where it was stored."
            )
        try:
            return self._mapper.unseal(event.state)
        except Exception as error:  # a cipher or a compressor may raise what it likes
            raise InvalidExport(
                f"Line {number}: the event cannot be opened with this CIPHER_KEY and "
                f"COMPRESSOR_TOPIC: {error or type(error).__name__}."
            ) from error

    def _folded(self, folded: Folded, event: Portable, plain: bytes) -> Folded:
        before, whole = folded.job, folded.whole
        try:
            fact = self._mapper.shapes.read(event.topic, plain)
        except Exception:
            # An event that cannot be read must not stop the events after it.
            self._unread += 1
            self._keys.end_command()
            after, whole = msgspec.structs.replace(before, version=event.version), False
        else:
            job_event = JobEvent(event.job_id, event.version, fact, event.position)
            after = evolve(before, job_event)
            self._keys.follow(before, job_event, after)
        return Folded(after, folded.snapshot_version, whole)


def _leaf(event: Portable) -> bytes:
    return Stored(event.position, event.job_id, event.version, event.topic, event.state).leaf
