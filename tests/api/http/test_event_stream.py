"""What a stream says is what the standard says of server-sent events (WHATWG HTML, 9.2)."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given

from api.errors import InvalidFields
from api.http import event_stream
from api.http.answers import encoded
from tests.support.jobs.strategies import json_values


def interpreted(stream: bytes) -> Iterator[tuple[str, str, str]]:
    """Yield what an EventSource dispatches: type, data and last id; as in 9.2.6 of the standard."""
    data: list[str] = []
    kind, last_id = "", ""
    for line in stream.decode().replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if not line:
            if data:
                yield kind or "message", "\n".join(data), last_id
            data, kind = [], ""
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "event":
            kind = value
        elif name == "id":
            last_id = value


@given(json_values)
def test_any_document_comes_through_whole(document: object) -> None:
    [(kind, data, last_id)] = interpreted(event_stream.event(7, encoded(document)))

    assert (kind, last_id) == ("message", "7")
    assert json.loads(data) == json.loads(encoded(document))


def test_the_end_is_an_event_of_its_own() -> None:
    [(kind, data, last_id)] = interpreted(event_stream.end(7, "failed", "timed_out"))

    assert (kind, last_id) == ("end", "7")
    assert json.loads(data) == {"status": "failed", "outcome": "timed_out"}


def test_comments_bookmarks_and_retries_are_no_events_and_a_reader_resumes_at_a_bookmark() -> None:
    silent = event_stream.BEAT + event_stream.bookmark(9) + event_stream.retry()

    assert list(interpreted(silent)) == []
    [(_, _, last_id)] = interpreted(silent + b"data: x\n\n")
    assert last_id == "9"


def test_readers_come_again_at_different_times() -> None:
    waits = {int(event_stream.retry().removeprefix(b"retry: ")) for _ in range(200)}

    least, most = event_stream.RETRY_MS
    assert len(waits) > 50
    assert least <= min(waits)
    assert max(waits) < most


@pytest.mark.parametrize(
    ("header", "after", "seen"),
    [(None, None, None), ("", 3, 3), (None, 3, 3), ("7", 3, 7), ("0", None, 0)],
)
def test_the_header_goes_before_the_query(
    header: str | None, after: int | None, seen: int | None
) -> None:
    assert event_stream.resumed_after({"Last-Event-ID": header}.get, after) == seen


@pytest.mark.parametrize("header", ["x", "-1", "1 ", "+1", "1_0", "²", "9" * 19])
def test_what_no_stream_has_given_is_refused(header: str) -> None:
    with pytest.raises(InvalidFields):
        event_stream.resumed_after({"Last-Event-ID": header}.get, None)
