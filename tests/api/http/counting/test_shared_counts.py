"""Workers count in memory that they share, each in its own part."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest

from api.http.counting.shared_counts import PART_BYTES, RECORDS, Part, SharedMemory, share


def in_a_process(work: Callable[..., None], *arguments: object) -> None:
    """Run a function in a process of its own, as a worker is started."""
    process = multiprocessing.get_context("spawn").Process(target=work, args=arguments)
    process.start()
    process.join(60)
    assert process.exitcode == 0


def count(memory: SharedMemory, worker: int, calls: int, shown: int) -> None:
    """Count some calls as a worker; hold that all workers together counted `shown`."""
    before_sharing = counter()
    share(memory, worker)
    for number in range(calls):
        (before_sharing if number % 2 else counter()).inc()

    assert before_sharing._value.get() == shown


def counter() -> Counter:
    """Return a counter; it is the same one each time, in a registry of its own."""
    # Milepost's counters choose the memory for all of them.
    from api.http.counting import counters

    assert counters.COUNTERS
    registry = CollectorRegistry()
    made = Counter("calls", "Calls", ["kind"], registry=registry).labels("good")
    assert b"calls_total" in generate_latest(registry)
    return made


def test_what_is_shown_is_the_sum_over_all_workers() -> None:
    memory = SharedMemory(2)

    in_a_process(count, memory, 0, 3, 3)
    in_a_process(count, memory, 1, 4, 7)


def test_a_worker_that_replaces_a_dead_one_goes_on_with_its_numbers() -> None:
    memory = SharedMemory(1)

    in_a_process(count, memory, 0, 3, 3)
    in_a_process(count, memory, 0, 2, 5)


def part() -> Part:
    return Part(memoryview(bytearray(PART_BYTES)))


def test_names_that_begin_alike_have_numbers_of_their_own() -> None:
    """The last record is taken first; the next names go on at the first one."""
    made, begin = part(), (RECORDS - 1).to_bytes(4)
    names = [begin + bytes([number]) * 12 for number in range(1, 4)]

    for number, name in enumerate(names):
        numbers, place = made.claim(name)
        numbers[place] = number + 10

    assert [made.number(name) for name in names] == [10, 11, 12]
    assert made.number(begin + b"\xff" * 12) == 0
    assert made.claim(names[1]) == made.claim(names[1])


def test_more_counters_than_there_are_records_are_refused() -> None:
    made = part()
    for number in range(1, RECORDS + 1):
        made.claim(number.to_bytes(16, "big"))

    with pytest.raises(OverflowError, match="1024"):
        made.claim(b"one too many....")
