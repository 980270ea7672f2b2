"""Counts of all workers of a server, in memory that they share.

The memory is a file of no disk. Prometheus' own client maps files of a folder, and on a full disk
the first write to a page of such a file ends the process (SIGBUS).

Each worker has a part of the memory and writes to this part alone, so no count waits for another
process. A worker that replaces a dead one goes on with the numbers in its part.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Sequence
from hashlib import blake2b
from multiprocessing import reduction
from threading import Lock
from typing import Any, Final

NAME_BYTES: Final = 16
RECORD_BYTES: Final = NAME_BYTES + 8
"""A record is the digest of a counter's name, and its number."""
RECORDS: Final = 1024
"""Several times as many as there are counters: a name is soon found."""
PART_BYTES: Final = RECORDS * RECORD_BYTES
NOBODY: Final = bytes(NAME_BYTES)
"""The name of a free record."""


class Part:
    """The counts of one worker: a hash table with one writer and many readers."""

    def __init__(self, memory: memoryview) -> None:
        self._names = memory
        self._numbers = memory.cast("d")

    def number(self, name: bytes) -> float:
        """Return a counter's number; 0 if this worker has no such counter."""
        record, is_there = self._find(name)
        return self._numbers[_place(record)] if is_there else 0.0

    def claim(self, name: bytes) -> tuple[memoryview[float], int]:
        """Return all numbers, and the place of this counter's number among them."""
        record, is_there = self._find(name)
        if not is_there:
            begin = record * RECORD_BYTES
            self._names[begin : begin + NAME_BYTES] = name
        return self._numbers, _place(record)

    def _find(self, name: bytes) -> tuple[int, bool]:
        first = int.from_bytes(name[:4]) % RECORDS
        for record in (*range(first, RECORDS), *range(first)):
            begin = record * RECORD_BYTES
            found = bytes(self._names[begin : begin + NAME_BYTES])
            if found in (name, NOBODY):
                return record, found == name
        raise OverflowError(f"there are more than {RECORDS} counters")


def _place(record: int) -> int:
    return (record * RECORD_BYTES + NAME_BYTES) // 8


class SharedMemory:
    """Memory with a part for each worker; it may be an argument of a process that is spawned."""

    def __init__(self, workers: int) -> None:
        self._take(_zeros(workers * PART_BYTES), workers)

    def _take(self, descriptor: int, workers: int) -> None:
        self._descriptor, self._workers = descriptor, workers

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (reduction.DupFd(self._descriptor), self._workers)

    def parts(self) -> Sequence[Part]:
        """Return the parts, which other processes may be writing to."""
        whole = memoryview(mmap.mmap(self._descriptor, self._workers * PART_BYTES))
        begins = range(0, len(whole), PART_BYTES)
        return [Part(whole[begin : begin + PART_BYTES]) for begin in begins]


def _received(descriptor: Any, workers: int) -> SharedMemory:
    memory = SharedMemory.__new__(SharedMemory)
    memory._take(descriptor.detach(), workers)
    return memory


def _zeros(size: int) -> int:
    """Return the descriptor of a file without a name, in memory where the system allows that."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("milepost-counts")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    # Write the zeros: a page that exists is never looked for in vain later.
    os.write(descriptor, bytes(size))
    return descriptor


class SharedValue:
    """One counter: this process adds to its own number, and shows the sum over all workers.

    The methods are those of a `ValueClass` of Prometheus' client.
    """

    _multiprocess = False

    def __init__(
        self,
        typ: str,
        metric_name: str,
        name: str,
        labelnames: Sequence[str],
        labelvalues: Sequence[str],
        help_text: str,
        **_: object,
    ) -> None:
        key = repr((name, tuple(labelnames), tuple(labelvalues)))
        self.name = blake2b(key.encode(), digest_size=NAME_BYTES).digest()
        self._lock = Lock()
        self.move()
        _COUNTS.values.append(self)

    def move(self) -> None:
        """Count in this process' present part from now on."""
        self._numbers, self._place = _COUNTS.own.claim(self.name)

    def inc(self, amount: float) -> None:
        """Add to this worker's number."""
        with self._lock:
            self._numbers[self._place] += amount

    def set(self, value: float, timestamp: float | None = None) -> None:
        """Set this worker's number."""
        with self._lock:
            self._numbers[self._place] = value

    def get(self) -> float:
        """Return the sum of all workers' numbers."""
        return sum(part.number(self.name) for part in _COUNTS.parts)

    def set_exemplar(self, exemplar: object) -> None:
        """Do nothing: Milepost has no exemplars."""

    def get_exemplar(self) -> None:
        """Return None: Milepost has no exemplars."""


class _Counts:
    """Where the counters of this process count: alone, until `share` says something else."""

    def __init__(self) -> None:
        self.own = Part(memoryview(bytearray(PART_BYTES)))
        self.parts: Sequence[Part] = [self.own]
        self.values: list[SharedValue] = []


_COUNTS: Final = _Counts()


def share(memory: SharedMemory, worker: int) -> None:
    """Count in this worker's part of the memory, and show the sums over all parts."""
    _COUNTS.parts = memory.parts()
    _COUNTS.own = _COUNTS.parts[worker]
    for value in _COUNTS.values:
        value.move()
