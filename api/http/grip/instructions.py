"""What the proxy is told: in headers of an answer that it shall hold, and in published items.

Each stream is a channel, in which the ids of items are positions of the log. An item also names the
id before it. So the proxy notices an item that it has missed, and asks at the link for what follows
the last one that it has sent.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

import msgspec

from api.tokens import Principal

BEAT: Final = r":\n\n; format=cstring; timeout=5"
EXPIRY_SECONDS: Final = 5
"""Links that expire within these seconds end together."""
LOOK_SECONDS: Final = 30
"""How long a channel is silent before the proxy asks whether it has missed something."""


def of_job(job_id: str) -> str:
    """Return the channel of a job."""
    return f"job-{quote(job_id, safe='')}"


def of_agent(agent_id: str) -> str:
    """Return the channel of an agent's newest job."""
    return f"agent-{quote(agent_id, safe='')}"


def channel_of(job_id: str | None, agent_id: str | None) -> str:
    """Return the channel of a stream of one of these."""
    return of_job(job_id) if job_id is not None else of_agent(agent_id or "")


def of_token(token_id: str) -> str:
    """Return the channel of all streams of a token's holder."""
    return f"token-{token_id}"


def of_expiry(until: int) -> str:
    """Return the channel of all streams of signed links that expire by a time."""
    return f"until-{-(-until // EXPIRY_SECONDS) * EXPIRY_SECONDS}"


def hold(channel: str, position: int, reader: Principal, link: str) -> list[tuple[str, str]]:
    """Return the headers that let the proxy hold a stream whose last item was at a position."""
    expires = [of_expiry(reader.until)] if reader.until is not None else []
    return [
        ("Grip-Hold", "stream"),
        ("Grip-Channel", f"{channel}; prev-id={position}"),
        *(("Grip-Channel", each) for each in (of_token(reader.token_id), *expires)),
        ("Grip-Keep-Alive", BEAT),
        ("Grip-Link", f"<{link}>; rel=next; timeout={LOOK_SECONDS}"),
    ]


def go_on(link: str) -> list[tuple[str, str]]:
    """Return the headers that let the proxy ask for the next page at once."""
    return [("Grip-Link", f"<{link}>; rel=next")]


def last_id(header: str | None, channel: str) -> int | None:
    """Return the position of the last item that the proxy has sent of a channel, if it says so."""
    for each in (header or "").split(","):
        name, _, parameter = each.strip().partition("; last-id=")
        if name == channel and parameter.isascii() and parameter.isdigit():
            return int(parameter)
    return None


class Item(msgspec.Struct, frozen=True, omit_defaults=True, rename={"prev_id": "prev-id"}):
    """What is published to a channel."""

    channel: str
    formats: dict[str, dict[str, Any]]
    id: str | None = None
    prev_id: str | None = None


def content(channel: str, position: int, before: int, text: bytes) -> Item:
    """Return an item that is sent to the readers of a channel, after the item before it."""
    formats = {"http-stream": {"content": text.decode()}}
    return Item(channel, formats, str(position), str(before))


def end(channel: str, position: int) -> Item:
    """Return an item that ends the streams of a channel after an item."""
    return Item(channel, CLOSE, f"{position}.end", str(position))


def ask_again(channel: str, position: int) -> Item:
    """Return an item that lets the proxy ask for what follows: it is not in one chain with it."""
    return Item(channel, {"http-stream": {"action": "hint"}}, str(position))


def close(channel: str) -> Item:
    """Return an item that ends all streams of a channel at once."""
    return Item(channel, CLOSE)


CLOSE: Final[dict[str, dict[str, Any]]] = {"http-stream": {"action": "close"}}
