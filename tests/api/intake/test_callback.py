"""Reading callbacks: what senders' tools make of the fields, and what is recorded of it."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import InvalidFields, InvalidJSON, MissingJobId, MissingStatusOrType, UnknownStatus
from api.intake.bending import FIELDS, MAX_ERROR
from api.intake.callback import CallbackReader, Taken
from api.intake.ci_words import MEANT
from api.schemas.requests import CallbackSchema
from domain.job.callback import STATUSES, Callback
from domain.job.spelling import bare
from tests.support.stores.deployment import NOON

READER = CallbackReader(lambda: NOON)


def read(**fields: Any) -> Taken:
    """Read a callback with these fields."""
    return READER.read(json.dumps({"job_id": "job-1", "status": "failed", **fields}).encode())


def test_the_documented_fields_are_the_known_ones() -> None:
    assert set(FIELDS) == set(CallbackSchema().fields)


@pytest.mark.parametrize(
    ("field", "given", "recorded"),
    [
        ("server_id", 50123456, "50123456"),
        ("server_id", 50123456.0, "50123456"),
        ("server_id", 1.5, "1.5"),
        ("server_ip", ["10.0.0.2", "fd7a::1"], '["10.0.0.2","fd7a::1"]'),
        ("tailscale_ip", [], None),
        ("tailscale_ip", False, None),
        ("step", ["a"], '["a"]'),
        ("failed_step", 3, "3"),
        ("failed_step", "Run a script |\n  set -e", "Run a script |   set -e"),
        ("failed_step", "configure\tfull\r\n", "configure full"),
        ("failed_step", "\x1b[31mred", "\ufffd[31mred"),
        ("failed_step", "\n", None),
        ("failed_step", "x" * 250, "x" * 199 + "…"),
        ("error", 137, "137"),
        ("error", {"code": 137, "message": "getötet"}, '{"code":137,"message":"getötet"}'),
        ("error", True, "true"),
        ("workflow_run_id", 123.0, "123"),
        ("workflow_run_id", True, "true"),
        ("workflow_run_id", "r" * 201, hashlib.sha256(b"r" * 201).hexdigest()),
        ("callback_id", 99, "99"),
        ("callback_id", "a\nb", hashlib.sha256(b"a\nb").hexdigest()),
        ("run_attempt", -1, None),
        ("run_attempt", "2.5", None),
        ("run_attempt", "first", None),
        ("run_attempt", "²", None),
        ("run_attempt", True, None),
        ("run_attempt", 1.5, None),
        ("run_attempt", [2], None),
        ("run_attempt", 10**18, None),
        ("occurred_at", "2026-03-02T12:00:00", None),
        ("occurred_at", "Mon, 02 Mar 2026 12:00:00 +0000", None),
        ("occurred_at", "0001-01-01T00:00:00Z", None),
        ("status", "canceled", "cancelled"),
        ("job_id", 8412345678, "8412345678"),
        ("type", 7, "7"),
    ],
)
def test_a_value_that_does_not_fit_is_bent_kept_and_said(
    field: str, given: Any, recorded: Any
) -> None:
    callback, warnings = read(**{field: given})

    assert getattr(callback, field) == recorded
    assert callback.bent == {field: given}
    assert callback.raw is None
    assert [warning.split()[0] for warning in warnings] == [field]


@pytest.mark.parametrize(
    ("field", "given", "recorded"),
    [
        ("workflow_run_id", 123456789, "123456789"),
        ("run_attempt", 2, 2),
        ("run_attempt", "2", 2),
        ("run_attempt", "2.0", 2),
        ("run_attempt", 0, 0),
        ("run_attempt", "0", 0),
        ("run_attempt", 2.0, 2),
        ("error", "x" * MAX_ERROR, "x" * MAX_ERROR),
        ("error", "\x1b[0;31mfatal\x1b[0m\n", "\x1b[0;31mfatal\x1b[0m\n"),
        ("status", "cancelled", "cancelled"),
        ("status", "stopped", "stopped"),
        ("type", None, None),
        ("callback_id", "", None),
    ],
)
def test_what_is_understood_is_not_bent(field: str, given: Any, recorded: Any) -> None:
    callback, warnings = read(**{field: given})

    assert getattr(callback, field) == recorded
    assert (callback.bent, callback.raw, warnings) == ({}, None, ())


AT = datetime(2026, 3, 2, 11, 30, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-03-02T11:30:15Z", AT),
        ("2026-03-02t11:30:15z", AT),
        ("2026-03-02 11:30:15+00:00", AT),
        ("2026-03-02T17:15:15+05:45", AT),
        ("2026-03-02T11:30:15+0000", AT),
        ("20260302T113015Z", AT),
        ("2026-03-02T11:30:15,5Z", AT + timedelta(milliseconds=500)),
        ("2026-03-02T11:30:15.123456789Z", AT + timedelta(microseconds=123456)),
        ("2026-03-02T11:30:60Z", AT + timedelta(seconds=44, microseconds=999999)),
        ("2026-03-02T17:15:60+05:45", AT + timedelta(seconds=44, microseconds=999999)),
        (int(AT.timestamp()), AT),
        (str(int(AT.timestamp())), AT),
        (AT.timestamp() + 0.25, AT + timedelta(milliseconds=250)),
        (int(AT.timestamp()) * 1000 + 7, AT + timedelta(milliseconds=7)),
        (f"{int(AT.timestamp())}.000001", AT + timedelta(microseconds=1)),
        (int(AT.timestamp()) * 10**9, AT),
    ],
)
def test_times_as_tools_write_them_are_understood(written: Any, moment: datetime) -> None:
    callback, warnings = read(occurred_at=written)

    assert callback.occurred_at == moment
    assert callback.occurred_at.utcoffset() == timedelta()
    assert (callback.bent, warnings) == ({}, ())


def test_a_long_error_keeps_its_head_and_its_tail() -> None:
    error = "TASK [first]\n" + "x" * 100_000 + "\nfatal: the reason"

    callback, warnings = read(error=error)

    assert callback.error is not None
    assert len(callback.error) == MAX_ERROR
    assert callback.error.startswith("TASK [first]\nxxx")
    assert callback.error.endswith("xxx\nfatal: the reason")
    assert "left out here" in callback.error
    assert callback.bent == {"error": error}
    assert "65,536" in warnings[0]


def test_a_body_whose_bytes_were_mended_is_kept_whole() -> None:
    raw = (
        b'{"job_id": "job-1", "status": "failed", "error": "caf\xe9", "log": "a\\u0000", "k": NaN}'
    )

    callback, warnings = READER.read(raw)

    assert (callback.error, callback.extra) == ("caf\ufffd", {"log": "a\ufffd", "k": "NaN"})
    assert callback.bent == {"error": "caf\ufffd"}
    assert callback.raw is not None
    assert base64.b64decode(callback.raw) == raw
    assert len(warnings) == 4


def test_two_broken_ids_stay_two() -> None:
    first, second = (
        READER.read(b'{"job_id": "j", "type": "heartbeat", "callback_id": "' + broken + b'"}')
        for broken in (b"\xe9", b"\xe8")
    )

    assert first.callback.callback_id != second.callback.callback_id
    assert first.callback.bent == second.callback.bent == {"callback_id": "\ufffd"}


@pytest.mark.parametrize("job_id", [b'"a\\u0000"', b'"caf\xe9"', b'"a\\nb"', b"[1]", b"true"])
def test_a_job_id_is_never_guessed(job_id: bytes) -> None:
    raw = b'{"job_id": ' + job_id + b', "status": "failed"}'

    with pytest.raises(InvalidFields, match="job_id"):
        READER.read(raw)
    assert READER.job_id_in(raw) is None


@pytest.mark.parametrize(
    ("raw", "job_id"),
    [
        (b'{"job_id": "job-1", "status": "failed", "error": "task "boot" failed"}', "job-1"),
        (b'{"status": "failed", "error": x, "job_id" : "job-1"}', "job-1"),
        (b'{"job_id": "job-1", "error": "no "job_id": "job-1""}', "job-1"),
        (b'{"job_id": "job-1", "error": "no "job_id": "job-2""}', None),
        (b'{"job_id": "job\\u00e9", "error": "task "boot" failed"}', None),
        (b'{"job_id": "caf\xe9", "error": "task "boot" failed"}', None),
        (b"job_id=job-1&status=failed", None),
    ],
)
def test_the_job_of_a_body_that_is_no_json_is_read_if_it_is_plain(
    raw: bytes, job_id: str | None
) -> None:
    with pytest.raises(InvalidJSON):
        READER.read(raw)

    assert READER.job_id_in(raw) == job_id


@pytest.mark.parametrize(
    ("fields", "job_id"),
    [
        ({"id": "evt-1", "data": {"job_id": "job-1", "status": "failed"}}, "job-1"),
        ({"Message": '{"job_id": "job-1", "type": "heartbeat"}'}, "job-1"),
        ({"status": "failed", "metadata": {"job_id": "job-1"}}, None),
        ({"job_id": "job-1", "data": {"job_id": "job-2", "status": "failed"}}, "job-1"),
    ],
)
def test_the_job_of_a_callback_in_an_envelope_is_read(
    fields: dict[str, Any], job_id: str | None
) -> None:
    assert READER.job_id_in(json.dumps(fields).encode()) == job_id


def test_the_job_of_a_list_with_one_callback_is_read() -> None:
    assert READER.job_id_in(json.dumps([END]).encode()) == "job-1"
    assert READER.job_id_in(json.dumps([END, {**END, "job_id": "job-2"}]).encode()) is None


@pytest.mark.parametrize("absent", ["", None])
def test_a_job_id_that_says_nothing_is_missing(absent: Any) -> None:
    with pytest.raises(MissingJobId):
        read(job_id=absent)


@pytest.mark.parametrize("absent", ["", None, False, []])
def test_a_status_that_says_nothing_is_missing(absent: Any) -> None:
    with pytest.raises(MissingStatusOrType):
        read(status=absent)


@pytest.mark.parametrize(
    ("fields", "error", "meant"),
    [
        ({"jobid": "j", "status": "failed"}, MissingJobId, {"jobid": "job_id"}),
        ({"job": "j", "status": "failed"}, MissingJobId, {"job": "job_id"}),
        ({"jobId": "", "job": "j", "staus": "failed"}, MissingJobId, {"jobId": "job_id"}),
        ({"job_id": "j", "staus": "failed"}, MissingStatusOrType, {"staus": "status"}),
        ({"job_id": "j", "state": "failed"}, MissingStatusOrType, {"state": "status"}),
        ({"job_id": "j", "tpye": "heartbeat"}, MissingStatusOrType, {"tpye": "type"}),
        ({"job_id": "j", "conclusion": "x"}, MissingStatusOrType, {"conclusion": "status"}),
        ({"id": "j", "status": "failed"}, MissingJobId, {"id": "job_id"}),
        ({"job_id": "j", "step": "x", "serverid": "s"}, MissingStatusOrType, {}),
    ],
)
def test_a_missing_field_that_is_misspelt_is_told(
    fields: dict[str, str], error: type[Exception], meant: dict[str, str]
) -> None:
    with pytest.raises(error) as refused:
        READER.read(json.dumps(fields).encode())

    for unknown, known in meant.items():
        assert f"Field {unknown!r} is unknown; did you mean {known!r}?" in str(refused.value)
    assert str(refused.value).count("did you mean") == len(meant)


END = {"job_id": "job-1", "status": "failed"}


@pytest.mark.parametrize(
    ("fields", "error", "where"),
    [
        ({"specversion": "1.0", "type": "org.example", "data": END}, MissingJobId, "data"),
        ({"Type": "Notification", "Message": json.dumps(END)}, MissingJobId, "Message"),
        ({"payload": {**END, "job_id": 7}, "note": "{"}, MissingJobId, "payload"),
        ({"job_id": "job-1", "body": {"status": "failed"}}, MissingStatusOrType, "body"),
    ],
)
def test_a_callback_in_an_envelope_is_refused_with_its_place(
    fields: dict[str, Any], error: type[Exception], where: str
) -> None:
    with pytest.raises(error, match=f"Field '{where}' seems to hold the callback"):
        READER.read(json.dumps(fields).encode())


BROKEN = ["{" * 50_000, '{"a":' * 50_000, '{"status": ' + "1" * 5_000 + "}", "{\ud83d"]


@pytest.mark.parametrize("inner", [*BROKEN, "[1]", "{}", {"status": ""}, {"note": 1}, 7])
def test_a_field_without_a_callback_is_no_envelope(inner: Any) -> None:
    with pytest.raises(MissingStatusOrType) as refused:
        READER.read(json.dumps({"job_id": "job-1", "log": inner}).encode())

    assert "seems to hold" not in str(refused.value)


def test_a_step_without_a_status_is_told_which_one_it_needs() -> None:
    with pytest.raises(MissingStatusOrType, match="A step needs the status 'provisioning'"):
        READER.read(b'{"job_id": "job-1", "step": "vm_created"}')


@pytest.mark.parametrize("raw", [b"", b" \n", b"\0", b"\xef\xbb\xbf"])
def test_an_empty_body_is_called_empty(raw: bytes) -> None:
    with pytest.raises(InvalidJSON, match="The body is empty"):
        READER.read(raw)


@pytest.mark.parametrize(
    ("fields", "meant"),
    [
        ({"status": "failed", "message": "no quota"}, "error"),
        ({"status": "running", "instance_id": "i-1"}, "server_id"),
        ({"status": "running", "message": "up"}, None),
        ({"status": "running", "id": "evt-1"}, None),
        ({"type": "heartbeat", "message": "up", "result": "x", "instance_id": "i-1"}, None),
        ({"type": "heartbeat", "serverId": "i-1"}, "server_id"),
        ({"type": "heartbeat", "runId": 7}, "workflow_run_id"),
    ],
)
def test_a_field_is_told_where_it_would_mean_something(
    fields: dict[str, Any], meant: str | None
) -> None:
    warnings = READER.read(json.dumps({"job_id": "job-1", **fields}).encode()).warnings

    assert len(warnings) == (meant is not None)
    assert all(said.endswith(f"did you mean {meant!r}?") for said in warnings)


@pytest.mark.parametrize(
    ("status", "meant"),
    [
        ("runing", "running"),
        ("faild", "failed"),
        ("Timed out", "failed"),
        ("cancelling", "cancelled"),
        ("done-ish", ""),
        (["running"], "running"),
        (5, ""),
    ],
)
def test_an_unknown_status_is_refused_with_what_may_be_meant(status: Any, meant: str) -> None:
    with pytest.raises(UnknownStatus, match=f"Did you mean '{meant}'" if meant else "known are"):
        read(status=status)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("RUNNING", "running"),
        (" running ", "running"),
        ("failed\n", "failed"),
        ('"stopped"', "stopped"),
        ("Canceled", "cancelled"),
    ],
)
def test_another_spelling_of_a_status_is_understood(given: str, meant: str) -> None:
    callback, warnings = read(status=given)

    assert callback.status == meant
    assert callback.bent == {"status": given}
    assert warnings == (f"status is spelt {meant!r} here",)


@pytest.mark.parametrize("given", ["HEARTBEAT", " heartbeat", "Heartbeat\n", '"heartbeat"'])
def test_another_spelling_of_a_heartbeat_is_one(given: str) -> None:
    callback, warnings = read(type=given, status="running")

    assert (callback.type, callback.status) == ("heartbeat", None)
    assert callback.bent == {"type": given}
    assert warnings[0] == "type is spelt 'heartbeat' here"


@pytest.mark.parametrize(
    "word", ["null", "undefined", "None", "<no value>", " null\n", '""', "<none>", "NULL", "none"]
)
@pytest.mark.parametrize(
    "field", ["workflow_run_id", "callback_id", "server_id", "failed_step", "error"]
)
def test_what_tools_write_for_nothing_counts_as_absent(field: str, word: str) -> None:
    callback, warnings = read(**{field: word})

    assert getattr(callback, field) is None
    assert callback.bent == {field: word}
    assert warnings == (
        f"{field} is {word.strip()!r}, which stands for no value, so it counts as absent",
    )


@pytest.mark.parametrize(
    "word",
    [
        "${{ github.run_id }}",
        "${{github.run_id}}\n",
        "$GITHUB_RUN_ID",
        "${SERVER_ID}",
        "{{ server_ip }}",
        "$(Build.BuildId)",
        "%BUILD_ID%",
    ],
)
@pytest.mark.parametrize(
    "field", ["workflow_run_id", "callback_id", "server_id", "server_ip", "failed_step"]
)
def test_a_placeholder_that_nobody_filled_in_counts_as_absent(field: str, word: str) -> None:
    callback, warnings = read(**{field: word})

    assert getattr(callback, field) is None
    assert callback.bent == {field: word}
    assert warnings == (
        f"{field} is {word.strip()!r}, which nobody has filled in, so it counts as absent",
    )


@pytest.mark.parametrize("word", ['"srv-1"', "'srv-1'", ' "srv-1"\n', '" srv-1"'])
@pytest.mark.parametrize(
    "field", ["workflow_run_id", "server_id", "server_ip", "tailscale_ip", "step", "failed_step"]
)
def test_quotation_marks_around_a_name_are_left_out(field: str, word: str) -> None:
    callback, warnings = read(**{field: word})

    assert getattr(callback, field) == "srv-1"
    assert callback.bent == {field: word}
    assert warnings == (f"{field} had quotation marks around it, which were left out",)


def test_a_word_for_nothing_in_quotation_marks_counts_as_absent() -> None:
    callback, _ = read(server_id='"null"', server_ip="'$SERVER_IP'")

    assert (callback.server_id, callback.server_ip) == (None, None)


@pytest.mark.parametrize("word", ['"a" or "b"', '19"', "'s", '"', "don't", "\"a'"])
def test_quotation_marks_within_a_name_belong_to_it(word: str) -> None:
    callback, warnings = read(server_id=word, failed_step=word)

    assert (callback.server_id, callback.failed_step, warnings) == (word, word, ())


def test_a_delivery_keeps_the_quotation_marks_of_its_id() -> None:
    assert read(callback_id='"7"').callback.callback_id == '"7"'


@pytest.mark.parametrize("word", ["web-$1", "$5", "100%", "a{{b}}", "$", "${", "%", "{x}"])
def test_a_name_with_a_sign_of_templates_is_a_name(word: str) -> None:
    callback, warnings = read(server_id=word, workflow_run_id=word)

    assert (callback.server_id, callback.workflow_run_id, warnings) == (word, word, ())


def test_a_text_of_white_space_counts_as_absent() -> None:
    callback, warnings = read(error=" \n")

    assert callback.error is None
    assert callback.bent == {"error": " \n"}
    assert warnings == ("error is white space only, so it counts as absent",)


@pytest.mark.parametrize("given", ["7\n", " 7", "7 ", "\t7\r\n"])
@pytest.mark.parametrize(
    "field", ["workflow_run_id", "server_id", "server_ip", "step", "failed_step"]
)
def test_white_space_around_a_name_does_not_make_another_one(field: str, given: str) -> None:
    callback, warnings = read(**{field: given})

    assert getattr(callback, field) == "7"
    assert callback.bent == {field: given}
    assert warnings == (f"{field} had white space around it, which was left out",)


def test_a_line_break_at_the_end_of_a_job_id_is_left_out() -> None:
    assert read(job_id="job-1\r\n").callback.job_id == "job-1"
    assert read(job_id="job-1 ").callback.job_id == "job-1 "


@pytest.mark.parametrize("given", ["2026-03-02T12:00:00", "2026-03-02"])
def test_a_time_without_an_offset_is_told_what_it_lacks(given: str) -> None:
    callback, warnings = read(occurred_at=given)

    assert callback.occurred_at is None
    assert warnings == ("occurred_at was left out: it has no offset; end it with Z or with +01:00",)


@pytest.mark.parametrize(
    ("status", "meant"),
    [
        ("success", "'running'"),
        ("SUCCEEDED", "'running'"),
        ("completed", "'running' or 'failed'"),
        ("failure", "'failed'"),
        ("error", "'failed'"),
        ("timed-out", "'failed'"),
        ("in_progress", "'provisioning'"),
        ("aborted", "'cancelled'"),
        ("destroyed", "'stopped'"),
        ("NOT_BUILT", "'cancelled'"),
        ("waiting", "'provisioning'"),
        ("SucceededWithIssues", "'running' or 'failed'"),
        ("ready", "'running'"),
        ("healthy", "'running'"),
        ("crashed", "'failed'"),
        ("booting", "'provisioning'"),
        ("action_required", "'provisioning'"),
        ("deallocated", "'stopped'"),
    ],
)
def test_a_word_of_a_ci_system_is_refused_with_the_status_that_it_means(
    status: str, meant: str
) -> None:
    with pytest.raises(UnknownStatus) as refused:
        read(status=status)

    assert f"Unknown status {status!r}; " in str(refused.value)
    assert str(refused.value).rstrip(".").endswith(f"Did you mean {meant}?")


def test_each_status_that_a_ci_systems_word_means_is_known() -> None:
    for word, statuses in MEANT.items():
        assert set(statuses) <= set(STATUSES)
        assert word == bare(word), "it could never be found"


@pytest.mark.parametrize("field", ["status", "error", "run_attempt", "callback_id"])
def test_a_known_field_with_two_values_is_refused(field: str) -> None:
    raw = f'{{"job_id": "job-1", "status": "failed", "{field}": "1", "{field}": "2"}}'.encode()

    with pytest.raises(InvalidFields, match=f"{field}: Given twice"):
        READER.read(raw)
    assert READER.job_id_in(raw) == "job-1"


@pytest.mark.parametrize(
    ("unknown", "meant"),
    [
        ("serverId", "server_id"),
        ("SERVER-IP", "server_ip"),
        ("jobid", None),  # job_id is there
        ("errors", "error"),
        ("workflow_runid", "workflow_run_id"),
        ("occured_at", "occurred_at"),
        ("stpe", "step"),
        ("stepname", "step"),
        ("run_id", "workflow_run_id"),
        ("runId", "workflow_run_id"),
        ("server_di", "server_id"),
        ("mode", None),
        ("used_snapshot", None),
        ("metadata", None),
        ("x" * 100_000, None),
        ("", None),
    ],
)
def test_a_field_that_is_close_to_a_known_one_is_told(unknown: str, meant: str | None) -> None:
    callback, warnings = read(**{unknown: "value"})

    assert callback.extra == {unknown: "value"}
    said = (f"field {unknown!r} is unknown; did you mean {meant!r}?",) if meant else ()
    assert warnings == said


def test_what_a_heartbeat_carries_is_kept_and_not_judged() -> None:
    callback, warnings = read(type="heartbeat", status="no status", step=["x"], error="", load=1)

    assert callback == Callback(
        job_id="job-1",
        type="heartbeat",
        extra={"status": "no status", "step": ["x"], "load": 1},
    )
    assert warnings == (
        "type 'heartbeat' makes this a heartbeat; its status 'no status' counts for nothing",
    )


@pytest.mark.parametrize("status", ["failed", "running", "stopped", 5])
def test_a_heartbeat_with_the_status_of_something_else_is_warned_of(status: Any) -> None:
    [warning] = read(type="heartbeat", status=status).warnings

    assert warning == (
        f"type 'heartbeat' makes this a heartbeat; its status {status!r} counts for nothing"
    )


@pytest.mark.parametrize("status", ["", None, "provisioning"])
def test_a_heartbeat_may_say_that_its_job_is_provisioning(status: Any) -> None:
    assert read(type="heartbeat", status=status).warnings == ()


PLAIN = ["", "job-1", "heartbeat", "running", "failed", "a\nb", "x" * 201]
AROUND = [
    "null",
    " null ",
    '""',
    "$RUN_ID",
    "${{ x }}",
    " %A%",
    "<none>",
    " 7 ",
    "7\n",
    " ",
    "\u00a07",
    "Running ",
    '"failed"',
    " HeartBeat",
]
texts = st.sampled_from([*PLAIN, *AROUND])
values: st.SearchStrategy[Any] = (
    texts
    | st.text()
    | st.sampled_from(["2026-03-02T12:00:00Z", "2026-03-02T12:00:00", "3", 3, "1772452800"])
    | st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)  # what the reader of JSON returns
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.lists(texts, max_size=2)
)
bodies = st.dictionaries(st.sampled_from([*FIELDS, "note", "Status", ""]), values, max_size=8)


@given(bodies)
def test_the_fast_path_reads_what_the_bending_reads(fields: dict[str, Any]) -> None:
    body = {"job_id": "job-1", "status": "failed", **fields}
    fast = READER._plain(body)

    if fast is not None:
        assert READER.read(json.dumps(body).encode()).callback == fast
        odd = json.dumps(body).encode() + b"\0"
        slow = READER.read(odd).callback
        assert (slow.bent, base64.b64decode(slow.raw or "")) == ({}, odd)
        assert Callback(**{**_fields(slow), "raw": None}) == fast


def _fields(callback: Callback) -> dict[str, Any]:
    return {name: getattr(callback, name) for name in callback.__struct_fields__}


def test_plain_callbacks_take_the_fast_path() -> None:
    step = {"job_id": "job-1", "status": "provisioning", "step": "vm_created", "note": [1]}
    dated = {**step, "occurred_at": "2026-03-02T12:00:00.5+01:00", "run_attempt": 2}
    beat = {"job_id": "job-1", "type": "heartbeat", "workflow_run_id": 7}

    assert all(READER._plain(body) for body in (step, dated, beat))
