"""A server at a URL: requests with a token, and what can go wrong with them."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

TIMEOUT_SECONDS: Final = 20
"""Longer than the server's own deadline of 15 s, so that its 503 arrives."""
LONGEST_ANSWER: Final = 16 * 1024 * 1024
"""How many bytes an answer may have. What commands ask for has far fewer."""
NO_MILEPOST: Final = "what answers is no Milepost"
EVENT_STREAM: Final = "text/event-stream"


class NoServer(Exception):
    """Nothing that speaks as Milepost does answers at the URL."""


class Refused(Exception):
    """The server refused a request: its status, and what it says about it.

    `retry_after` is the number of seconds after which the server wants to be asked again, if it
    says so.
    """

    def __init__(self, status: int, detail: str, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.retry_after = retry_after


class RemoteServer:
    """The server at a URL, for the holder of a token."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        self._parts = urlsplit(self.url)
        self._bearer = {"Authorization": f"Bearer {token}"}

    def ask(
        self, method: str, path: str, body: object = None, timeout: float = TIMEOUT_SECONDS
    ) -> dict[str, Any]:
        """Send a request with the token, and return the JSON object of the answer.

        Raises `NoServer` or `Refused`, as every method does.
        """
        raw = None if body is None else json.dumps(body).encode()
        return json_object(self.send(method, path, raw, self._bearer, timeout))

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        timeout: float = TIMEOUT_SECONDS,
    ) -> bytes:
        """Send a request with these headers over a connection of its own; return the answer."""
        typed = {"Content-Type": "application/json", **headers}
        with self._answered(method, path, body, typed, timeout) as response:
            return _read(response)

    @contextmanager
    def stream(
        self, path: str, headers: Mapping[str, str], quiet_seconds: float
    ) -> Iterator[http.client.HTTPResponse | None]:
        """Open a stream with the token, and close it at the end.

        Yields None for a stream that has ended for good. Reading from it raises an `OSError` once
        nothing has come for `quiet_seconds`.
        """
        asked = {**self._bearer, "Accept": EVENT_STREAM, **headers}
        with self._answered("GET", path, None, asked, quiet_seconds) as response:
            if response.status == http.client.NO_CONTENT:
                yield None
                return
            if response.headers.get_content_type() != EVENT_STREAM:
                raise NoServer(NO_MILEPOST)
            yield response

    @contextmanager
    def _answered(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        timeout: float,
    ) -> Iterator[http.client.HTTPResponse]:
        connection = _connection(self._parts, timeout)
        try:
            try:
                connection.request(method, self._parts.path + path, body, dict(headers))
                response = connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                raise NoServer(reason(error)) from error
            with response:  # its socket is its own, if the server closes the connection
                if response.status >= 400:
                    detail = _detail(_read(response)) or response.reason
                    after = _seconds(response.getheader("Retry-After"))
                    raise Refused(response.status, detail, after)
                yield response
        finally:
            connection.close()


def json_object(text: bytes) -> dict[str, Any]:
    """Return the JSON object that the text is; raise `NoServer` if it is none."""
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NoServer(NO_MILEPOST) from error
    if not isinstance(answer, dict):
        raise NoServer(NO_MILEPOST)
    return answer


def reason(error: OSError | http.client.HTTPException) -> str:
    """Return what went wrong with a connection, without the number of the error."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _connection(parts: SplitResult, timeout: float) -> http.client.HTTPConnection:
    host, port = parts.hostname or "", parts.port
    if parts.scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=timeout)
    return http.client.HTTPConnection(host, port, timeout=timeout)


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        answer = response.read(LONGEST_ANSWER + 1)
    except (OSError, http.client.HTTPException) as error:
        raise NoServer(reason(error)) from error
    if len(answer) > LONGEST_ANSWER:
        raise NoServer(NO_MILEPOST)
    return answer


def _detail(text: bytes) -> str:
    """Return what a problem document says; an empty text if it is none (RFC 9457)."""
    try:
        problem = json_object(text)
    except NoServer:
        return ""
    return str(problem.get("detail") or problem.get("title") or "")


def _seconds(retry_after: str | None) -> int | None:
    """Return the seconds of a `Retry-After`; None if it is a date, or absent (RFC 9110)."""
    is_number = retry_after and retry_after.isascii() and retry_after.isdigit()
    return int(retry_after) if retry_after and is_number and len(retry_after) < 6 else None
