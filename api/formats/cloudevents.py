"""CloudEvents 1.0 in JSON: one structured event per line, or one batch."""

from __future__ import annotations

import re
from base64 import b64encode
from functools import partial
from typing import Any
from urllib.parse import quote

import msgspec

from api.formats import Format
from domain.job.events import Time
from domain.transfer.jsonl import Portable
from domain.unseen import escaped_json

SOURCE = "urn:milepost:log"
SPECVERSION = "1.0"
TYPE_PREFIX = "milepost."
LARGEST_INTEGER = 2**31 - 1
"""CloudEvents' integers have 32 bits."""
# CloudEvents' strings have no control characters and no code points that are no characters.
NOT_IN_A_STRING = re.compile(
    "[\x00-\x1f\x7f-\x9f\ufdd0-\ufdef"
    + "".join(
        f"{chr(plane * 0x10000 + 0xFFFE)}{chr(plane * 0x10000 + 0xFFFF)}" for plane in range(17)
    )
    + "]"
)
URI_REFERENCE = re.compile(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+")


class _Dated(msgspec.Struct):
    recorded_at: Time


_dated = msgspec.json.Decoder(_Dated)
_encoder = msgspec.json.Encoder()


def event_of(event: Portable, source: str) -> dict[str, Any]:
    """Return the CloudEvent of an event: `id` is its position, `subject` its job.

    `sequence` is the CloudEvents extension of that name; `jobversion` is Milepost's own extension.
    An event that cannot be read as a fact has its stored bytes in base64, and no time.
    """
    attributes: dict[str, Any] = {
        "specversion": SPECVERSION,
        "id": str(event.position),
        "source": source,
        "type": TYPE_PREFIX + _string(event.topic),
        "subject": _string(event.job_id),
        "sequence": f"{event.position:020}",
    }
    if event.version <= LARGEST_INTEGER:
        attributes["jobversion"] = event.version
    try:
        time = _dated.decode(event.state).recorded_at
        data = msgspec.json.decode(event.state)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        content = {"data_base64": b64encode(event.state).decode()}
        return {**attributes, "datacontenttype": "application/octet-stream", **content}
    return {**attributes, "time": time, "datacontenttype": "application/json", "data": data}


def cloudevents(source: str) -> Format:
    """Return the format with one event a line."""
    return Format("cloudevents", 1, partial(_line, source=source))


def batch(source: str) -> Format:
    """Return the format with all events in one array (`application/cloudevents-batch+json`)."""
    write = partial(_member, source=source)
    return Format("cloudevents-batch", 1, write, b"[\n", b",\n", b"\n]\n")


def _member(event: Portable, source: str) -> bytes:
    return escaped_json(_encoder.encode(event_of(event, source)).decode()).encode()


def _line(event: Portable, source: str) -> bytes:
    return _member(event, source) + b"\n"


def _string(text: str) -> str:
    return NOT_IN_A_STRING.sub(lambda character: quote(character[0], safe=""), text)
