"""The log: lines with time, level and source on stderr; no text in it forges or hides a line."""

from __future__ import annotations

import logging.config
from typing import Any, Final

from domain.unseen import visible, visible_lines


class VisibleFormatter(logging.Formatter):
    """Writes each message on one line, and no character that a terminal would obey."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  the library's name
        """Return the line of a record."""
        record.message = visible(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802
        """Return a traceback."""
        return visible_lines(super().formatException(ei))


LOGGING: Final[dict[str, Any]] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": VisibleFormatter,
            "format": "%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        },
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "stream": "ext://sys.stderr",
        },
    },
    "loggers": {
        "milepost": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        "asyncio": {"handlers": ["stderr"], "level": "ERROR", "propagate": False},
    },
}


def log_to_stderr() -> None:
    """Log in lines with time, level and source."""
    logging.config.dictConfig(LOGGING)


def show_warnings_visibly() -> None:
    """Write the warnings of a command, which configures no log, without characters to obey."""
    if logging.lastResort:
        logging.lastResort.setFormatter(VisibleFormatter())
