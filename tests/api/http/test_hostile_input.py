"""Whatever is sent: one clear problem document or a receipt, never a 500, nothing half stored."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from io import BytesIO
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.http.bodies import MAX_BODY_BYTES
from api.intake import bending
from api.intake.callback import CallbackReader
from domain.job.events import CallbackRefused, HeartbeatReceived, Received
from tests.support.stores.deployment import NOON
from tests.support.web.site import (
    CALLBACKS,
    MACHINE,
    WEBHOOK,
    Site,
    bearer,
    body_of,
    problem_of,
    sign,
)

HEAD = b'{"job_id": "job-1", "status": "provisioning", '
FIELDS = (
    "job_id",
    "type",
    "status",
    "step",
    "workflow_run_id",
    "run_attempt",
    "error",
    "failed_step",
    "server_id",
    "server_ip",
    "tailscale_ip",
    "callback_id",
    "occurred_at",
)
WRONG: dict[str, object] = {
    "int": 7,
    "float": 1.5,
    "bool": True,
    "list": ["x"],
    "dict": {"x": 1},
    "zero": 0,
    "zero as float": 0.0,
    "false": False,
    "empty list": [],
    "empty dict": {},
}
MISTYPED = [
    pytest.param(name, wrong, id=f"{name}: {kind}")
    for name in FIELDS
    for kind, wrong in WRONG.items()
    if name not in ("job_id", "status")
    if (name, kind) not in (("workflow_run_id", "int"), ("workflow_run_id", "zero"))
    if name != "run_attempt" or kind not in ("int", "zero", "zero as float")
]
NAMES = tuple(
    name for name in FIELDS if name not in ("status", "error", "occurred_at", "run_attempt")
)


def nested(depth: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    """Return a callback whose field `extra` makes it `depth` levels deep."""
    levels = depth - 1
    return HEAD + b'"extra": ' + opening * levels + closing * levels + b"}"


def nested_objects(depth: int) -> bytes:
    levels = depth - 1
    return HEAD + b'"extra": ' + b'{"a":' * levels + b"1" + b"}" * levels + b"}"


NOT_JSON = {
    "nothing": b"",
    "spaces": b"  \n",
    "a form": b"job_id=job-1&status=failed",
    "cut off": HEAD,
    "two objects": b'{"job_id": "a", "status": "failed"}{}',
    "single quotes": b"{'job_id': 'job-1', 'status': 'failed'}",
    "a comment": b'{"job_id": "job-1", "status": "failed"} // done',
    "a list": b'[{"job_id": "job-1", "status": "failed"}]',
    "a string": b'"job-1"',
    "a number": b"17",
    "null": b"null",
    "true": b"true",
    "opening brackets only": b"[" * 20_000,
    "opening braces only": b'{"a":' * 10_000,
}
"""No JSON object, however leniently it is read."""
MENDED = {
    "trailing comma": b'{"job_id": "job-1", "status": "failed",}',
    "latin-1": HEAD + '"error": "Zürich"}'.encode("latin-1"),
    "utf-16": '{"job_id": "job-1", "status": "failed"}'.encode("utf-16"),
    "overlong": HEAD + b'"error": "\xc0\x80"}',
    "a raw surrogate": HEAD + b'"error": "\xed\xa0\x80"}',
    "a byte order mark": b'\xef\xbb\xbf{"job_id": "job-1", "status": "failed"}',
    "a raw NUL": HEAD + b'"error": "a\0b"}',
    "a NUL after": b'{"job_id": "job-1", "status": "failed"}\0',
    "a raw control character": HEAD + b'"error": "a\x1bb"}',
    "an escaped NUL": HEAD + rb'"error": "a\u0000b"}',
    "an escaped NUL in a name": HEAD + rb'"\u0000": 1}',
    "an escaped NUL inside": HEAD + rb'"extra": {"a": ["\u0000"]}}',
    "half a surrogate pair": HEAD + rb'"error": "\ud83d"}',
    "the other half": HEAD + rb'"error": "\ude00"}',
    "halves the wrong way": HEAD + rb'"extra": ["\ude00\ud83d"]}',
    "half a pair in a name": HEAD + rb'"extra": {"\udfff": 1}}',
    "lists 33 deep": nested(33),
    "objects 33 deep": nested_objects(33),
    "lists 20,000 deep": nested(20_000),
    "objects 8,000 deep": nested_objects(8_000),
    "a thousand digits": HEAD + b'"extra": ' + b"9" * 1000 + b"}",
    "ten thousand digits": HEAD + b'"extra": [' + b"9" * 10_000 + b"]}",
    "a thousand decimals": HEAD + b'"extra": 0.' + b"3" * 1000 + b"}",
    "beyond 64 bits": HEAD + b'"extra": 18446744073709551616}',
    "far below zero": HEAD + b'"extra": -9223372036854775809}',
    "NaN": HEAD + b'"extra": NaN}',
    "Infinity": HEAD + b'"extra": Infinity}',
    "-Infinity": HEAD + b'"extra": {"a": [-Infinity]}}',
    "1e999": HEAD + b'"extra": 1e999}',
    "-1e999": HEAD + b'"extra": [-1e999]}',
    "a long exponent": HEAD + b'"extra": 1e' + b"0" * 1000 + b"1}",
    "a name twice inside": HEAD + b'"extra": {"a": 1, "a": 2}}',
    "a name twice deep inside": HEAD + b'"extra": [{"b": [{"a": 1, "c": 2, "a": 3}]}]}',
}
"""A callback is mended, a registration is refused."""
CONTRADICTORY = {
    "a name twice": b'{"job_id": "job-1", "job_id": "job-2", "status": "failed"}',
    "a name twice, escaped": rb'{"job_id": "a", "job\u005fid": "b", "status": "failed"}',
}
UNUSABLE_ID = {
    "an escaped NUL in an id": rb'{"job_id": "a\u0000", "status": "failed"}',
    "a thousand digits as id": b'{"job_id": ' + b"9" * 1000 + b', "status": "failed"}',
}
TAKEN = {
    "lists 32 deep": nested(32),
    "objects 32 deep": nested_objects(32),
    "the largest number": HEAD + b'"extra": 18446744073709551615}',
    "the least number": HEAD + b'"extra": -9223372036854775808}',
    "a whole surrogate pair": HEAD + rb'"error": "\ud83d\ude00"}',
    "an escaped control character": HEAD + rb'"error": "\u001b[31mred\n"}',
    "a text that looks escaped": HEAD + rb'"error": "\\u0000"}',
    "white space all around": b'\r\n\t {"job_id" : "job-1" , "status" :"running"}\n\n',
}


def only_refusals(site: Site, after: int = 0) -> bool:
    """Tell whether nothing was stored but refusals, each in the log of the job that it names."""
    milepost = site.deployment.milepost
    stored = milepost.store.events(after, 1000)
    return all(isinstance(milepost.mapper.read(row).fact, CallbackRefused) for row in stored)


@pytest.mark.parametrize("raw", NOT_JSON.values(), ids=NOT_JSON)
def test_what_is_no_json_object_is_invalid_json(memory_site: Site, raw: bytes) -> None:
    for path in (WEBHOOK, CALLBACKS):
        problem = problem_of(memory_site.callback(raw, path=path), 400, "invalid-json")
        assert problem["error"] == "Invalid JSON"
    assert only_refusals(memory_site)


@pytest.mark.parametrize("raw", MENDED.values(), ids=MENDED)
def test_odd_bytes_of_a_callback_are_mended_and_the_body_is_kept(
    memory_site: Site, raw: bytes
) -> None:
    answer = memory_site.callback(raw)

    assert answer.status_code == 200, answer.text
    assert body_of(answer)["warning"]
    [fact] = memory_site.facts()
    assert isinstance(fact, Received)
    assert fact.raw is not None
    assert base64.b64decode(fact.raw) == raw


@pytest.mark.parametrize("raw", CONTRADICTORY.values(), ids=CONTRADICTORY)
def test_a_known_field_given_twice_with_different_values_is_refused(
    memory_site: Site, raw: bytes
) -> None:
    problem = problem_of(memory_site.callback(raw), 400, "invalid-fields")

    assert problem["errors"] == {"job_id": ["Given twice, with different values."]}
    assert memory_site.position == 0


@pytest.mark.parametrize("raw", UNUSABLE_ID.values(), ids=UNUSABLE_ID)
def test_an_id_of_a_job_is_never_mended(memory_site: Site, raw: bytes) -> None:
    problem = problem_of(memory_site.callback(raw), 400, "invalid-fields")

    assert list(problem["errors"]) == ["job_id"]
    assert memory_site.position == 0


STRICT = {**NOT_JSON, **MENDED, **CONTRADICTORY, **UNUSABLE_ID}


@pytest.mark.parametrize("raw", STRICT.values(), ids=STRICT)
def test_a_registration_is_read_strictly(memory_site: Site, raw: bytes) -> None:
    answer = memory_site.client.post(
        "/api/jobs",
        data=raw.replace(b"job-1", b"job-2"),
        headers={**bearer(memory_site.services.settings.admin_token)},
        content_type="application/json",
    )

    problem_of(answer, 400, "invalid-json")
    assert memory_site.position == 0


@pytest.mark.parametrize("raw", TAKEN.values(), ids=TAKEN)
def test_what_is_odd_but_clear_is_stored_whole(site: Site, raw: bytes) -> None:
    answer = site.callback(raw)

    assert answer.status_code == 200, answer.text
    [fact] = site.facts()
    sent, kept = json.loads(raw), msgspec.to_builtins(fact)
    assert kept["status"] == sent.pop("status")
    assert site.job(sent.pop("job_id"))["error"] is None
    said = {"error": kept.get("error"), **kept.get("extra", {})}
    assert said == {"error": None, **sent}


def test_no_store_ever_takes_what_is_refused_for_a_callback(site: Site) -> None:
    site.report(status="provisioning")
    before = site.position

    for raw in NOT_JSON.values():
        problem_of(site.callback(raw), 400)
    assert only_refusals(site, after=before)
    before = site.position
    for raw in STRICT.values():
        problem_of(site.unsigned(raw), 401)

    assert site.position == before


# Signatures


@pytest.mark.parametrize(
    "signature",
    {
        "empty": "",
        "not hex": "zz" * 32,
        "odd length": "a" * 63,
        "too short": "ab",
        "too long": "ab" * 33,
        "endless": "ab" * 4000,
        "not ASCII": "é" * 64,
        "a wide digit": "\xef\xbc\x91" * 64,
        "a raw byte": "\xff" * 64,
        "of another body": sign(b"{}"),
        "of another secret": sign(HEAD + b'"step": "x"}', "another secret"),
        "a scheme in front": "sha256=" + sign(HEAD + b'"step": "x"}'),
        "two at once": ",".join([sign(HEAD + b'"step": "x"}')] * 2),
    }.items(),
    ids=lambda item: item[0],
)
def test_a_signature_that_is_not_the_right_one_is_refused(
    memory_site: Site, signature: tuple[str, str]
) -> None:
    raw = HEAD + b'"step": "x"}'

    answer = memory_site.unsigned(raw, {"X-Signature": signature[1]})

    assert problem_of(answer, 401, "invalid-signature")["error"] == "Invalid signature"
    assert memory_site.position == 0


def test_an_unsigned_body_is_not_even_read(memory_site: Site) -> None:
    """A stranger learns nothing of what is wrong with the rest."""
    for raw in (b"", b"{", b"[]", b"{}", nested(20_000)):
        problem_of(memory_site.unsigned(raw), 401, "invalid-signature")


# Sizes


def filled(size: int) -> bytes:
    """Return a callback of that many bytes."""
    head = HEAD + b'"error": "'
    return head + b"x" * (size - len(head) - 2) + b'"}'


def test_1_mib_is_taken_and_a_byte_more_is_413(site: Site) -> None:
    exact, over = filled(MAX_BODY_BYTES), filled(MAX_BODY_BYTES + 1)
    assert len(exact) == 1_048_576

    assert site.callback(exact).status_code == 200
    problem = problem_of(site.callback(over), 413)

    assert "1 MiB" in problem["detail"]
    [fact] = site.facts()
    assert isinstance(fact, Received)
    assert "x" * 1_000_000 in fact.bent["error"]


def test_a_large_body_is_413_before_its_signature_is_looked_at(memory_site: Site) -> None:
    problem_of(memory_site.unsigned(filled(MAX_BODY_BYTES + 1)), 413)


@pytest.mark.parametrize("size", [MAX_BODY_BYTES, MAX_BODY_BYTES + 1, 5 * MAX_BODY_BYTES])
def test_the_limit_holds_for_chunked_bodies_too(memory_site: Site, size: int) -> None:
    raw = filled(size)

    answer = memory_site.client.post(
        WEBHOOK,
        input_stream=BytesIO(raw),
        headers={"X-Signature": sign(raw), "Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
    )

    if size > MAX_BODY_BYTES:
        problem_of(answer, 413)
    else:
        assert answer.status_code == 200, answer.text
    assert memory_site.position == (size <= MAX_BODY_BYTES)


def test_a_large_registration_is_413(memory_site: Site) -> None:
    answer = memory_site.post_job({"agent_id": "a" * MAX_BODY_BYTES})

    problem_of(answer, 413)
    assert memory_site.position == 0


# Fields


@pytest.mark.parametrize("name", [*NAMES, "workflow_run_id"])
def test_an_id_of_200_characters_is_taken_as_it_is(site: Site, name: str) -> None:
    fields = {"job_id": "job-1", "status": "provisioning", name: "é" * 200}

    site.callback(fields)

    [fact] = site.facts(str(fields["job_id"]))
    assert isinstance(fact, Received)
    assert (fact.bent, fact.raw) == ({}, None)


@pytest.mark.parametrize("name", sorted({*NAMES, "workflow_run_id"} - {"job_id"}))
def test_a_name_or_id_of_201_characters_is_bent_and_kept_whole(site: Site, name: str) -> None:
    given = "é" * 201

    receipt = site.report(status="provisioning", **{name: given})

    [fact] = site.facts()
    assert isinstance(fact, Received)
    assert fact.bent == {name: given}
    assert f"{name} " in receipt["warning"]


def test_a_job_id_of_201_characters_is_refused(memory_site: Site) -> None:
    answer = memory_site.callback({"job_id": "é" * 201, "status": "provisioning"})

    assert "job_id" in problem_of(answer, 400, "invalid-fields")["errors"]
    assert memory_site.position == 0


@pytest.mark.parametrize("name", ["agent_id", "job_id", "user_id", "region", "workflow"])
def test_a_registrations_names_are_as_short(memory_site: Site, name: str) -> None:
    answer = memory_site.post_job({"agent_id": "agent-1", name: "x" * 201})

    assert name in problem_of(answer, 400, "invalid-fields")["errors"]
    assert memory_site.position == 0


def test_the_longest_ids_of_the_widest_characters_fit_into_every_index(site: Site) -> None:
    wide = "".join(chr(0x10000 + 397 * place % 0xFFFD) for place in range(200))

    site.register(wide, wide[1:], wide[2:])
    taken = site.report(wide, status="provisioning", callback_id=wide[3:])
    again = site.report(wide, status="provisioning", callback_id=wide[3:])

    assert (taken["duplicate"], again["duplicate"]) == (False, True)
    assert site.instance(wide[1:])["instance"]["id"] == wide


@pytest.mark.parametrize("character", ["\x01", "\t", "\n", "\x1b", "\x7f"])
@pytest.mark.parametrize("name", [name for name in NAMES if name != "job_id"])
def test_control_characters_in_names_are_replaced(
    memory_site: Site, name: str, character: str
) -> None:
    given = f"a{character}b"

    memory_site.report(status="provisioning", **{name: given})

    [fact] = memory_site.facts()
    assert isinstance(fact, Received)
    assert fact.bent == {name: given}


def test_a_control_character_in_a_job_id_is_refused(memory_site: Site) -> None:
    for character in ("\x01", "\t", "\n", "\x1b", "\x7f"):
        answer = memory_site.callback({"job_id": f"a{character}b", "status": "provisioning"})
        assert "job_id" in problem_of(answer, 400, "invalid-fields")["errors"]
    assert memory_site.position == 0


def test_an_unknown_status_is_answered_with_the_known_ones(memory_site: Site) -> None:
    for status in ("done", "runing", "success", "pending"):
        problem = problem_of(
            memory_site.callback({"job_id": "job-1", "status": status}), 400, "unknown-status"
        )
        [said] = problem["errors"]["status"]
        assert all(known in said for known in ("provisioning", "running", "failed"))
        assert all(known in problem["detail"] for known in ("provisioning", "running", "failed"))
    assert {type(fact) for fact in memory_site.facts()} == {CallbackRefused}


@pytest.mark.parametrize(("name", "wrong"), MISTYPED)
def test_a_value_of_another_type_is_bent_and_kept(memory_site: Site, name: str, wrong: Any) -> None:
    receipt = memory_site.report(status="provisioning", **{name: wrong})

    [fact] = memory_site.facts()
    assert isinstance(fact, Received)
    assert fact.bent == {name: wrong}
    assert f"{name} " in receipt["warning"]


@pytest.mark.parametrize("wrong", [True, ["x"], {"x": 1}])
def test_a_job_id_that_is_no_text_or_number_is_refused(memory_site: Site, wrong: object) -> None:
    answer = memory_site.callback({"job_id": wrong, "status": "provisioning"})

    assert list(problem_of(answer, 400, "invalid-fields")["errors"]) == ["job_id"]
    assert memory_site.position == 0


@pytest.mark.parametrize(
    "occurred_at",
    [
        "2026-03-02T12:00:00",
        "2026-03-02",
        "12:00",
        "yesterday",
        "17724528",
        17724528,
        True,
        ["2026-03-02T12:00:00Z"],
        {"at": "2026-03-02T12:00:00Z"},
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-23:59",
        "1999-12-31T23:59:59Z",
        "2026-13-01T00:00:00Z",
        "2026-03-02T25:00:00Z",
        "2026-03-02T12:00:00+99:00",
        (NOON + timedelta(hours=24, seconds=1)).isoformat(),
    ],
)
def test_a_time_that_is_naive_or_absurd_is_left_out_and_kept(
    memory_site: Site, occurred_at: object
) -> None:
    receipt = memory_site.report(status="provisioning", occurred_at=occurred_at)

    [fact] = memory_site.facts()
    assert isinstance(fact, Received)
    assert (fact.occurred_at, fact.bent) == (None, {"occurred_at": occurred_at})
    assert "occurred_at was left out" in receipt["warning"]


@pytest.mark.parametrize(
    "occurred_at",
    ["2000-01-01T00:00:00Z", "2026-03-03T12:00:00+00:00", "2026-03-02T14:00:00.123456+02:00"],
)
def test_a_time_within_reason_is_kept_in_utc(memory_site: Site, occurred_at: str) -> None:
    memory_site.report(status="provisioning", occurred_at=occurred_at)

    [fact] = memory_site.facts()
    assert isinstance(fact, Received)
    assert fact.occurred_at is not None
    assert fact.occurred_at.utcoffset() == timedelta()


def test_an_unknown_type_without_a_status_is_a_sign_of_life(memory_site: Site) -> None:
    receipt = memory_site.report(type="metrics", step="x", load=0.5)

    assert "type 'metrics' is unknown" in receipt["warning"]
    [fact] = memory_site.facts()
    assert isinstance(fact, HeartbeatReceived)
    assert fact.extra == {"load": 0.5, "step": "x", "type": "metrics"}


def test_an_unknown_type_with_a_status_is_kept(memory_site: Site) -> None:
    memory_site.report(type="metrics", status="provisioning")

    [fact] = memory_site.facts()
    assert isinstance(fact, Received)
    assert fact.extra == {"type": "metrics"}


# What is asked for


@pytest.mark.parametrize(
    "path",
    [
        "/api/jobs/a%00b",
        "/api/jobs/a%00b/timeline",
        "/api/agents/a%00b/instance",
        "/api/jobs/%FF%FE",
        "/api/jobs/%ED%A0%80",
        "/api/jobs/" + "x" * 4000,
    ],
)
def test_an_id_that_cannot_be_is_not_found(site: Site, path: str) -> None:
    problem_of(site.get(path), 404)


def test_an_agent_that_cannot_be_cannot_be_stopped(site: Site) -> None:
    problem_of(site.stop("a%00b"), 404)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("agent_id=%00", "agent_id"),
        ("agent_id=" + "x" * 201, "agent_id"),
        ("user_id=%1b", "user_id"),
        ("status=done", "status"),
        ("status=", "status"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=-1", "limit"),
        ("limit=1.5", "limit"),
        ("limit=many", "limit"),
        ("limit=" + "9" * 5000, "limit"),
        ("min_position=-1", "min_position"),
        ("min_position=x", "min_position"),
        ("min_position=" + "9" * 5000, "min_position"),
        ("cursor=x", "cursor"),
        ("cursor=p-1", "cursor"),
        ("cursor=p%C2%B2", "cursor"),
        ("cursor=p" + "9" * 19, "cursor"),
    ],
)
def test_a_query_that_cannot_be_used_is_named(memory_site: Site, query: str, name: str) -> None:
    answer = memory_site.get(f"/api/jobs?{query}")

    assert name in problem_of(answer, 400, "invalid-fields")["errors"]


def test_a_misspelt_filter_does_not_show_everything(memory_site: Site) -> None:
    memory_site.register()
    memory_site.project()

    answer = memory_site.get("/api/jobs?agent=agent-2")

    assert "agent" in problem_of(answer, 400, "invalid-fields")["errors"]


# Anything at all

values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
plausible: dict[str, st.SearchStrategy[Any]] = {
    "type": st.sampled_from(["heartbeat", "", "other"]),
    "status": st.sampled_from(["provisioning", "running", "failed", "", "done"]),
    "occurred_at": st.datetimes().map(lambda at: at.isoformat() + "Z"),
    **dict.fromkeys(MACHINE, st.sampled_from(["srv-1", "", "é"])),
}


def _field(name: str) -> st.SearchStrategy[Any]:
    return st.one_of(plausible.get(name, st.text(max_size=5)), st.none(), values)


bodies = st.builds(
    lambda known, unknown: {**unknown, **known},
    st.fixed_dictionaries({}, optional={name: _field(name) for name in FIELDS[1:]}),
    st.dictionaries(st.text(), values, max_size=3),
)
any_time = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _facts_wanted(body: dict[str, Any]) -> int:
    """Count what an accepted callback for a job of its own is stored as (seed contract)."""
    said = {name: bending.name(body.get(name)).value for name in ("type", "status", *MACHINE)}
    if said["type"] == "heartbeat":
        return 1
    if said["status"] == "running":
        return 2 if all(said[name] for name in MACHINE) else 1
    return 2 if said["status"] == "failed" and said["server_id"] else 1


def _answers(site: Site, raw: bytes, wanted: int | None = None) -> None:
    before = site.position
    answer = site.callback(raw)
    appended = site.position - before
    if answer.status_code == 200:
        assert body_of(answer)["position"] == site.position
        assert appended == (wanted or 1)
    else:
        problem_of(answer, 400)
        assert appended == (1 if CallbackReader(site.clock).job_id_in(raw) else 0)


@any_time
@given(raw=st.binary(max_size=200))
def test_arbitrary_signed_bytes_are_answered_clearly(memory_site: Site, raw: bytes) -> None:
    _answers(memory_site, raw)


@any_time
@given(text=st.text(max_size=200), value=values)
def test_arbitrary_signed_texts_and_values_are_answered_clearly(
    memory_site: Site, text: str, value: object
) -> None:
    _answers(memory_site, text.encode())
    _answers(memory_site, json.dumps(value).encode())


@any_time
@given(body=bodies)
def test_an_arbitrary_signed_object_is_stored_whole_or_not_at_all(
    memory_site: Site, body: dict[str, Any]
) -> None:
    named = {"status": "", **body, "job_id": uuid4().hex}

    _answers(memory_site, json.dumps(named).encode(), _facts_wanted(named))


def test_a_query_of_any_characters_is_understood_and_cannot_forge_a_line_of_the_log(
    memory_site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    forged = "/api/jobs/x%0aERROR%20forged?status=\u20ac"

    answers = [memory_site.get("/api/jobs?status=\u20ac"), memory_site.get(forged)]

    assert [answer.status_code for answer in answers] == [400, 404]
    assert not any("\nERROR forged" in record.getMessage() for record in caplog.records)
