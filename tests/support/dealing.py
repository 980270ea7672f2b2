"""The order in which tests run: every worker begins with its share of the long ones.

pytest-xdist's `worksteal` gives each worker an equal part of the collected tests, in their order.
An idle worker later takes half of what another one still has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain, groupby
from typing import TypeVar

Test = TypeVar("Test")


def dealt(
    tests: Iterable[Test],
    workers: int,
    *,
    is_long: Callable[[Test], bool],
    file_of: Callable[[Test], str],
) -> list[Test]:
    """Return the tests in an order whose equal parts, one a worker, each begin with long tests.

    The files of long tests are dealt in turn, and a file stays whole: its tests share servers.
    """
    tests = list(tests)
    files = [list(file) for _, file in groupby(filter(is_long, tests), key=file_of)]
    shorts = iter([test for test in tests if not is_long(test)])
    order: list[Test] = []
    for worker in range(workers):
        order.extend(chain.from_iterable(files[worker::workers]))
        end = len(tests) * (worker + 1) // workers
        order.extend(short for _, short in zip(range(len(order), end), shorts, strict=False))
    return order
