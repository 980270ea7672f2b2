"""What strangers cause is logged a few times a minute, and counted."""

from __future__ import annotations

import logging

import pytest

from api.http.callers.stranger_log import StrangerLog
from api.http.counting.counters import LEFT_OUT
from api.http.problems.documents import problem_of as explained
from domain.errors import QueueFull, StoreUnavailable, Unavailable
from domain.few_lines import MINUTE_SECONDS, PER_MINUTE
from tests.support.web.site import SECRET, Site, problem_of

LOG = logging.getLogger("milepost.api")


class Minutes:
    """A clock that a test moves by whole minutes."""

    def __init__(self) -> None:
        self.passed = 0

    def __call__(self) -> float:
        return self.passed * MINUTE_SECONDS


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_ten_lines_a_minute_are_logged_and_the_others_are_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Minutes()
    strangers, counter = StrangerLog(LOG, clock), LEFT_OUT["invalid_signature"]
    before = counter._value.get()

    for number in range(PER_MINUTE + 7):
        strangers.warning("invalid_signature", "line %d", number)

    assert lines(caplog) == [f"line {number}" for number in range(10)]
    assert counter._value.get() == before + 7

    clock.passed = 1
    strangers.warning("invalid_signature", "a line of the next minute")

    assert lines(caplog)[10:] == [
        "7 lines like the next one were left out (invalid_signature)",
        "a line of the next minute",
    ]


def test_each_reason_has_lines_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    strangers = StrangerLog(LOG, Minutes())
    for _ in range(PER_MINUTE + 1):
        strangers.warning("invalid_signature", "unsigned")

    strangers.warning("too_large", "large")

    assert lines(caplog)[-1] == "large"


def test_a_hundred_unsigned_callbacks_leave_ten_lines(
    memory_site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(100):
        problem_of(memory_site.unsigned(b'{"job_id": "job-1", "status": "failed"}'), 401)

    assert len(lines(caplog)) == PER_MINUTE


def test_a_hundred_callbacks_of_unregistered_jobs_leave_ten_lines(
    memory_site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(100):
        receipt = memory_site.report(f"job-{number}", type="heartbeat")
        assert "warning" in receipt

    assert len(lines(caplog)) == PER_MINUTE
    assert caplog.records[0].__dict__["job_id"] == "job-0"


def test_a_hundred_refused_callbacks_leave_ten_lines(
    memory_site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(100):
        problem_of(memory_site.callback(b'{"job_id": "job-1", "status": "odd"}'), 400)

    problem_of(memory_site.callback(b'{"job_id": "job-1"}'), 400)

    assert len(lines(caplog)) == PER_MINUTE + 1
    assert "missing_status_or_type" in lines(caplog)[-1]


def test_strangers_do_not_hide_the_slip_of_a_sender_that_has_the_secret(
    memory_site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    body = b'{"job_id": "job-1", "status": "failed"}'
    for _ in range(PER_MINUTE + 1):
        problem_of(memory_site.unsigned(body), 401)

    problem_of(memory_site.callback(body, secret=f"{SECRET}\n"), 401)

    assert "newline at its end" in lines(caplog)[-1]


@pytest.mark.parametrize("error", [QueueFull, StoreUnavailable])
def test_requests_that_find_the_server_busy_leave_ten_lines(
    error: type[Unavailable], caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(100):
        assert explained(error(), "GET", "/api/docs").status == 503

    assert len(lines(caplog)) == PER_MINUTE
    assert {record.levelno for record in caplog.records} == {logging.ERROR}
