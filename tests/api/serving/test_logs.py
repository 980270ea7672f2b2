"""The log's two formats: a line for each record, and nothing in it that forges another one."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import Any

from api.http.request_ids import REQUEST_ID
from api.serving.logs import JSONFormatter, VisibleFormatter

NOON = 1_772_452_800.25
"""2026-03-02T12:00:00.250Z"""


def record(message: str, *arguments: object, **attributes: object) -> logging.LogRecord:
    """Return a record of noon."""
    made = logging.LogRecord("milepost.api", logging.WARNING, "", 0, message, arguments, None)
    made.created = NOON
    vars(made).update(attributes)
    return made


def in_json(message: str, *arguments: object, **attributes: object) -> Any:
    """Return what the one line of JSON says."""
    line = JSONFormatter().format(record(message, *arguments, **attributes))
    assert line.isascii()
    assert line.isprintable()
    return json.loads(line)


def test_a_line_of_json_has_time_level_logger_process_message_and_fields() -> None:
    said = in_json("refused for job %r", "job-1", job_id="job-1", process=7)

    assert said == {
        "time": "2026-03-02T12:00:00.250Z",
        "level": "warning",
        "logger": "milepost.api",
        "process": 7,
        "message": "refused for job 'job-1'",
        "job_id": "job-1",
    }


def test_what_terminals_obey_and_other_lines_are_escaped_in_json() -> None:
    hostile = "one\ntwo\x1b[2J\x7f\u2028\u202e\udcff"

    assert in_json("%s", hostile)["message"] == hostile


def test_a_field_of_any_type_is_written() -> None:
    assert in_json("", job_id=None, seconds=1.5, address=b"x")["address"] == "b'x'"


def test_a_traceback_is_a_member_of_the_line() -> None:
    error = ValueError("of this\nkind")

    said = in_json("failed", exc_info=(ValueError, error, None))

    assert said["exception"] == "ValueError: of this\nkind"


def test_a_line_of_text_has_its_time_in_utc() -> None:
    formatter = VisibleFormatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    line = formatter.format(record("one\ntwo"))

    assert line == "2026-03-02T12:00:00.250Z WARNING milepost.api: one\\ntwo"


def test_a_line_about_a_request_has_its_id_in_both_formats() -> None:
    token = REQUEST_ID.set("req-1")
    try:
        assert in_json("refused")["request_id"] == "req-1"
        assert VisibleFormatter().format(record("refused")) == "refused (request req-1)"
    finally:
        REQUEST_ID.reset(token)


LINES_OF_OTHERS = """
import logging, threading, warnings
from api.serving.logs import log_to_stderr

def break_down():
    raise ValueError("of this\\nkind")

log_to_stderr("json")
logging.getLogger("psycopg.pool").warning("error connecting in %r: %s", "log", "refused\\nagain")
warnings.warn("old\\nname")
thread = threading.Thread(target=break_down, name="reader")
thread.start()
thread.join()
break_down()
"""


def test_what_others_write_is_json_too() -> None:
    """A pool of connections writes while the database is away, and Python where nobody catches."""
    done = subprocess.run(
        [sys.executable, "-c", LINES_OF_OTHERS],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    pool, warning, thread, end = (json.loads(line) for line in done.stderr.splitlines())
    assert (pool["logger"], pool["level"]) == ("psycopg.pool", "warning")
    assert pool["message"] == "error connecting in 'log': refused\nagain"
    assert "old\nname" in warning["message"]
    assert thread["message"] == "the thread reader has ended by an error"
    assert "ValueError: of this\nkind" in thread["exception"]
    assert "ValueError: of this\nkind" in end["exception"]
    assert done.returncode == 1
