"""A registration's answer says what its body seems to be, if the body is no JSON."""

from __future__ import annotations

import gzip
from codecs import BOM_UTF8

import pytest

from api.errors import InvalidJSON
from api.intake.strict_json import parse_object

BODY = '{"agent_id": "agent-1"}'


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "The body is empty."),
        (b" \r\n", "The body is empty."),
        (BOM_UTF8 + BODY.encode(), "The body begins with a byte order mark; leave it out."),
        (BODY.encode("utf-16"), "The body is UTF-16, not UTF-8."),
        (BODY.encode("utf-16-le"), "The body is UTF-16-LE, not UTF-8."),
        (gzip.compress(BODY.encode(), mtime=0), "The body is compressed with gzip; "),
        (b"agent_id=agent-1&job_id=job-1", "The body is a form, not JSON."),
        (b"agent_id", "The body is not JSON: Expecting value at line 1 column 1."),
        (b'{"a": "\xff"}', "The body is not UTF-8: byte 7 is invalid start byte."),
    ],
)
def test_a_body_in_another_form_is_called_so(raw: bytes, said: str) -> None:
    with pytest.raises(InvalidJSON) as refused:
        parse_object(raw)

    assert str(refused.value).startswith(said)
