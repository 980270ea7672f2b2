"""The log: a line for each record on stderr; no text in it forges or hides a line.

There are two formats, text for people and JSON for programs. Both have times in UTC (RFC 3339), and
the id of the request that a line is about.
"""

from __future__ import annotations

import json
import logging.config
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final

from api.http.request_ids import REQUEST_ID
from domain.unseen import visible, visible_lines

log = logging.getLogger("milepost")

OF_EVERY_RECORD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
"""The attributes that the library gives to a record. Others are fields that the caller named."""


class VisibleFormatter(logging.Formatter):
    """Writes each message on one line, and no character that a terminal would obey."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  the library's name
        """Return the line of a record."""
        request_id = REQUEST_ID.get()
        of_request = f" (request {request_id})" if request_id else ""
        record.message = visible(record.message) + of_request
        return super().formatMessage(record)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """Return the time of a record."""
        return _written(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802
        """Return a traceback."""
        return visible_lines(super().formatException(ei))


class JSONFormatter(logging.Formatter):
    """Writes each record as a JSON object on one line, also its traceback.

    The object has `time`, `level`, `logger`, `process` and `message`; `request_id` in a line about
    a request; the fields of the record, such as `job_id`; and `exception`, a traceback.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        line: dict[str, object] = {
            "time": _written(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
        }
        if request_id := REQUEST_ID.get():
            line["request_id"] = request_id
        line |= {name: vars(record)[name] for name in vars(record).keys() - OF_EVERY_RECORD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        # Other characters than ASCII are escaped, and those below the space. DEL is the only other
        # one that a terminal obeys.
        return json.dumps(line, default=str).replace("\x7f", "\\u007f")


def _written(record: logging.LogRecord) -> str:
    time = datetime.fromtimestamp(record.created, UTC)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def log_to_stderr(log_format: str) -> None:
    """Log to stderr, in the format `text` or `json`, also what libraries and Python itself say."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "text": {
                    "()": VisibleFormatter,
                    "format": "%(asctime)s %(levelname)-7s %(name)s: %(message)s",
                },
                "json": {"()": JSONFormatter},
            },
            "handlers": {
                "stderr": {
                    "class": "logging.StreamHandler",
                    "formatter": log_format,
                    "stream": "ext://sys.stderr",
                },
            },
            "loggers": {
                "milepost": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
                "asyncio": {"handlers": ["stderr"], "level": "ERROR", "propagate": False},
            },
            # Pools of connections, and whatever a library has to say.
            "root": {"handlers": ["stderr"], "level": "WARNING"},
        }
    )
    logging.captureWarnings(True)
    sys.excepthook = _ended
    threading.excepthook = _thread_ended


def _ended(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    if not issubclass(kind, Exception):  # Ctrl-C, of which Python knows what to do
        sys.__excepthook__(kind, error, traceback)
        return
    log.error("the process has ended by an error", exc_info=(kind, error, traceback))


def _thread_ended(about: threading.ExceptHookArgs) -> None:
    name = about.thread.name if about.thread else "unknown"
    if about.exc_value and about.exc_type is not SystemExit:
        error = (about.exc_type, about.exc_value, about.exc_traceback)
        log.error("the thread %s has ended by an error", name, exc_info=error)


def show_warnings_visibly() -> None:
    """Write the warnings of a command, which configures no log, without characters to obey."""
    if logging.lastResort:
        logging.lastResort.setFormatter(VisibleFormatter())
