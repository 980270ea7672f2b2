"""What the proxy is told fits into its headers, whatever an id is."""

from __future__ import annotations

import pytest

from api.http.grip.instructions import last_id, of_expiry, of_job


@pytest.mark.parametrize("job_id", ["job-1", "a; prev-id=7", 'b,"c" \r\n', "ü/%2F", "job-1, x"])
def test_a_channel_is_one_word_and_no_other_jobs(job_id: str) -> None:
    channel = of_job(job_id)

    assert channel.isascii()
    assert not set(channel) & set(' ;,"\r\n=<>')
    assert of_job(f"{job_id}x") != channel


def test_the_last_id_is_that_of_the_channel() -> None:
    said = "token-admin; last-id=9, job-1; last-id=41,job-2; last-id=x"

    assert last_id(said, "job-1") == 41
    assert last_id(said, "job-2") is None
    assert last_id(said, "job-3") is None
    assert last_id(None, "job-1") is None


def test_links_that_expire_within_five_seconds_share_a_channel() -> None:
    assert {of_expiry(until) for until in range(96, 101)} == {"until-100"}
    assert of_expiry(101) == "until-105"
