"""A second reading of HTTP/1.1 (RFC 9112), strict and slow, to compare the server's with."""

from __future__ import annotations

import re
from typing import NamedTuple

TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
REQUEST_LINE = re.compile(rb"([A-Z]+) ([\x21-\x7e\x80-\xff]+) HTTP/1\.([01])")


class Read(NamedTuple):
    """A request as it was read."""

    method: str
    target: bytes
    body: bytes


class Malformed(Exception):
    """The bytes are no request that two programs must read alike."""


class Unfinished(Exception):
    """A request has not ended yet."""


def readings(stream: bytes) -> list[Read]:
    """Return the requests that begin the stream, up to what is malformed or unfinished."""
    found = []
    try:
        while stream:
            read, stream = _one(stream)
            found.append(read)
    except (Malformed, Unfinished):
        pass
    return found


def _one(stream: bytes) -> tuple[Read, bytes]:
    while stream.startswith(b"\r\n"):  # RFC 9112, 2.2: an empty line before a request is ignored
        stream = stream[2:]
    head, end, rest = stream.partition(b"\r\n\r\n")
    if not end:
        raise Unfinished
    first, *lines = head.split(b"\r\n")
    line = REQUEST_LINE.fullmatch(first)
    if not line:
        raise Malformed
    lengths, codings = [], []
    for each in lines:
        name, colon, value = each.partition(b":")
        if not colon or not TOKEN.fullmatch(name) or re.search(rb"[\x00\r\n]", value):
            raise Malformed
        value = value.strip(b" \t")
        if name.lower() == b"content-length":
            lengths.append(value)
        elif name.lower() == b"transfer-encoding":
            codings.append(value.lower())
    if (lengths and codings) or len(lengths) > 1 or len(codings) > 1:
        raise Malformed
    if codings:
        if codings != [b"chunked"] or line[3] == b"0":
            raise Malformed
        body, rest = _chunks(rest)
    elif lengths:
        if not re.fullmatch(rb"[0-9]+", lengths[0]):
            raise Malformed
        length = int(lengths[0])
        if len(rest) < length:
            raise Unfinished
        body, rest = rest[:length], rest[length:]
    else:
        body = b""
    return Read(line[1].decode(), line[2], body), rest


def _chunks(rest: bytes) -> tuple[bytes, bytes]:
    body = b""
    while True:
        line, end, rest = rest.partition(b"\r\n")
        if not end:
            raise Unfinished
        size = re.fullmatch(rb"([0-9A-Fa-f]+)([ \t]*;[^\x00-\x08\x0a-\x1f\x7f]*)?", line)
        if not size:
            raise Malformed
        if not (length := int(size[1], 16)):
            break
        if len(rest) < length + 2:
            raise Unfinished
        if rest[length : length + 2] != b"\r\n":
            raise Malformed
        body, rest = body + rest[:length], rest[length + 2 :]
    while True:  # trailers
        line, end, rest = rest.partition(b"\r\n")
        if not end:
            raise Unfinished
        if not line:
            return body, rest
        if not TOKEN.fullmatch(line.partition(b":")[0]) or b":" not in line:
            raise Malformed
