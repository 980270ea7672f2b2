"""Bytes that no honest client sends: streams of requests, each made from a seed."""

from __future__ import annotations

from random import Random
from typing import Final

from tests.support.web.connections import get

SMUGGLED: Final = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
METHODS: Final = (b"GET", b"POST", b"HEAD", b"PUT", b"CONNECT", b"PRI", b"get", b"G\0T", b"")
TARGETS: Final = (b"/", b"/a?b#c", b"*", b"http://a/b", b"//a", b"/\xff", b"/a b", b"a:1", b"/%00")
VERSIONS: Final = (b"HTTP/1.1",) * 6 + (b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.2", b"http/1.1", b"")
ENDS: Final = (b"\r\n",) * 12 + (b"\n", b"\r", b"\r\r\n", b"\0\r\n", b" \r\n")
LINES: Final = (
    b"Content-Length: 5",
    b"Content-Length: 5",
    b"Content-Length: 6",
    b"Content-Length: 5, 5",
    b"Content-Length: +5",
    b"Content-Length: -1",
    b"Content-Length: 0x5",
    b"Content-Length: 5 5",
    b"Content-Length : 5",
    b"Content-Length: 99999999999999999999",
    b"Content-Length:",
    b"content-length:5",
    b"Content_Length: 5",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: Chunked",
    b"Transfer-Encoding: chunked, chunked",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding:\tchunked",
    b"Transfer-Encoding:\x0bchunked",
    b"Transfer-Encoding : chunked",
    b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding:",
    b"Transfer-Encoding\0: chunked",
    b"X: folded\r\n Content-Length: 5",
    b"X: folded\r\n\tTransfer-Encoding: chunked",
    b" Content-Length: 5",
    b"X: a\0b",
    b"X: a\rb",
    b"X: \xff\x80",
    b"X" * 300 + b": long",
    b"no colon",
    b": no name",
    b"Host: b",
    b"Expect: 100-continue",
    b"Connection: close",
    b"Connection: keep-alive",
    b"Connection: Upgrade, HTTP2-Settings",
    b"Upgrade: h2c",
    b"Upgrade: websocket",
)
BODIES: Final = (
    b"",
    b"12345",
    b"12345",
    SMUGGLED,
    b"5\r\n12345\r\n0\r\n\r\n",
    b"5\r\n12345\r\n0\r\n\r\n",
    b'5;ext="a\r\n12345\r\n0\r\n\r\n',
    b"5;ext=a\r\n12345\r\n0\r\n\r\n",
    b"5 ; a\r\n12345\r\n0\r\n\r\n",
    b"5\n12345\n0\n\n",
    b"5\r\n12345x\r\n0\r\n\r\n",
    b"5\r\n1234567890\r\n0\r\n\r\n",
    b"0x5\r\n12345\r\n0\r\n\r\n",
    b"+5\r\n12345\r\n0\r\n\r\n",
    b"5 \r\n12345\r\n0\r\n\r\n",
    b"-5\r\n12345\r\n0\r\n\r\n",
    b"000000005\r\n12345\r\n0\r\n\r\n",
    b"FFFFFFFFFFFFFFFFF\r\n12345",
    b"10000000000000005\r\n12345\r\n0\r\n\r\n",
    b"\r\n5\r\n12345\r\n0\r\n\r\n",
    b"0\r\n\r\n",
    b"0\r\nX: trailer\r\n\r\n",
    b"0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"0\r\nno colon\r\n\r\n",
    b"0\n\r\n",
    b"5\r\n12345",
)


def request(random: Random) -> bytes:
    """Return something like a request; about half of them are well-formed."""
    if random.random() < 0.25:
        return random.choice((SMUGGLED, get("/a"), b"\r\n" + get("/b")))
    is_odd = random.random() < 0.4
    first = (
        b" ".join(map(random.choice, (METHODS, TARGETS, VERSIONS)))
        if is_odd
        else random.choice((b"POST /c HTTP/1.1", b"GET /d HTTP/1.1", b"POST /e HTTP/1.0"))
    )
    lines = [first, b"Host: a", *random.choices(LINES, k=random.choice((0, 1, 1, 1, 2, 3)))]
    if random.random() < 0.03:
        lines += [b"X-Many-%d: x" % number for number in range(random.choice((90, 110, 5000)))]
    random.shuffle(lines[1:])
    ends = random.choices(ENDS if is_odd else ENDS[:1], k=len(lines) + 1)
    head = b"".join(line + end for line, end in zip([*lines, b""], ends, strict=True))
    return head + random.choice(BODIES)


def stream(random: Random) -> bytes:
    """Return what one client sends: requests one after the other, which may be cut or spoilt."""
    sent = bytearray(b"".join(request(random) for _ in range(random.choice((1, 1, 2, 3, 8)))))
    if random.random() < 0.15 and sent:
        sent[random.randrange(len(sent))] = random.randrange(256)
    if random.random() < 0.2:
        del sent[random.randrange(len(sent) + 1) :]
    return bytes(sent)


def pieces(random: Random, sent: bytes) -> list[bytes]:
    """Return the same bytes in several pieces."""
    cuts = sorted(random.randrange(len(sent) + 1) for _ in range(random.choice((1, 3, 8))))
    return [sent[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
