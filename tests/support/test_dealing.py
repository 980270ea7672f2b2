"""The order of the tests gives every worker its share of the long ones."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.support.dealing import dealt

LONG = ["e2e/a::1", "e2e/a::2", "e2e/b::1", "e2e/c::1", "e2e/c::2"]
SHORT = [f"unit::{number}" for number in range(9)]


def order_for(workers: int, tests: list[str]) -> list[str]:
    return dealt(
        tests,
        workers,
        is_long=lambda test: test.startswith("e2e/"),
        file_of=lambda test: test.partition("::")[0],
    )


def test_each_workers_part_begins_with_long_tests() -> None:
    order = order_for(2, [*SHORT[:4], *LONG, *SHORT[4:]])

    first, second = order[:7], order[7:]
    assert first == ["e2e/a::1", "e2e/a::2", "e2e/c::1", "e2e/c::2", *SHORT[:3]]
    assert second == ["e2e/b::1", *SHORT[3:]]


@given(
    workers=st.integers(1, 5),
    longs=st.lists(st.integers(0, 9), max_size=20),
    shorts=st.integers(0, 30),
)
def test_no_test_is_lost_or_repeated(workers: int, longs: list[int], shorts: int) -> None:
    tests = [f"e2e/{file}::{number}" for number, file in enumerate(sorted(longs))]
    tests += [f"unit::{number}" for number in range(shorts)]

    assert sorted(order_for(workers, tests)) == sorted(tests)
