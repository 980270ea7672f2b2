"""An answer as it goes out: head and body in one piece."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from http import HTTPStatus
from typing import Final

from api.http.messages import Answer

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
WITHOUT_LENGTH: Final = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


def in_bytes(method: str, answer: Answer, more: Sequence[str]) -> bytes:
    """Return the answer to a request of this method as bytes.

    `more` are lines of its head, each with its end. The answer to HEAD has the length of its body,
    and no body (RFC 9110, 9.3.2).

    Raises `ValueError` for a header that would not be one line.
    """
    lines = [_status_line(answer.status), *more]
    has_length = answer.status in WITHOUT_LENGTH or answer.source is not None
    for name, value in answer.headers:
        prefix = _prefix(name)
        # Flask names the length itself: that of an answer to HEAD is not that of its body.
        has_length |= prefix == "content-length: "
        lines.append(f"{prefix}{value}\r\n")
    if not has_length:
        lines.append(f"content-length: {len(answer.body)}\r\n")
    head = "".join(lines)
    if head.count("\n") != len(lines) or head.count("\r") != len(lines):
        raise ValueError("a header of the answer has a line break")
    written = f"{head}\r\n".encode("latin-1")
    return written if method == "HEAD" else written + answer.body


@cache
def _status_line(status: int) -> str:
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"


@cache
def _prefix(name: str) -> str:
    return f"{name.lower()}: "
