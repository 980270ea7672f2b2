"""The callback's schema: the short way for plain texts and the schema's own way agree."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError

from api.schemas.requests import CallbackSchema
from domain.job.callback import Callback

SCHEMA = CallbackSchema()

names = st.sampled_from([*SCHEMA.fields, "note", "Status", ""])
texts = st.text() | st.sampled_from(
    ["", "job-1", "heartbeat", "provisioning", "running", "failed", "done", "a\nb", "a\x7f"]
)
values: st.SearchStrategy[Any] = (
    texts
    | st.sampled_from(["x" * 200, "x" * 201, "provisioning\n", "2026-11-24T12:00:00Z"])
    | st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.lists(texts, max_size=2)
    | st.dictionaries(texts, texts, max_size=2)
)
bodies = st.dictionaries(names, values, max_size=8)
plain_bodies = st.dictionaries(names, texts, max_size=8).map(lambda body: {"job_id": "j", **body})


def by_the_schema(body: dict[str, Any]) -> Any:
    try:
        return Schema.load(SCHEMA, body)
    except ValidationError as error:
        return error.messages


def as_loaded(body: dict[str, Any]) -> Any:
    try:
        return SCHEMA.load(body)
    except ValidationError as error:
        return error.messages


@given(bodies | plain_bodies)
def test_the_short_way_comes_to_what_the_schema_says(body: dict[str, Any]) -> None:
    assert as_loaded(body) == by_the_schema(body)


@pytest.mark.parametrize("field", [name for name in SCHEMA.fields if name != "occurred_at"])
def test_no_field_is_looser_on_the_short_way(field: str) -> None:
    for value in ("a\nb", "a\x00", "x" * 201, "done", "running", "ünïcode ☃", " "):
        body = {"job_id": "job-1", field: value}

        assert as_loaded(body) == by_the_schema(body)


def test_a_plain_callback_goes_the_short_way() -> None:
    body = {"job_id": "job-1", "status": "provisioning", "step": "vm_created", "note": [1]}

    loaded = SCHEMA._plain(body)

    assert loaded == Callback(
        job_id="job-1", status="provisioning", step="vm_created", extra={"note": [1]}
    )
