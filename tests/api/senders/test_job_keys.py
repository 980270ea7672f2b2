"""The keys of jobs: HKDF of one secret, different for each job, remembered for few."""

from __future__ import annotations

import base64
import hashlib
import hmac

from standardwebhooks.webhooks import Webhook

from api.senders.job_keys import REMEMBERED, JobKeys, job_key
from api.senders.signing_key import key_id
from tests.support.stores.deployment import NOON

SECRET = "thirty-two or more random letters"  # noqa: S105  of nothing


def hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """Compute one block of RFC 5869, as its section 2 writes it."""
    extracted = hmac.digest(salt, secret, hashlib.sha256)
    return hmac.digest(extracted, info + b"\x01", hashlib.sha256)


def test_a_job_key_is_the_hkdf_of_the_secret_and_the_jobs_id() -> None:
    expected = hkdf(SECRET.encode(), b"milepost job key", "job/ä".encode())

    assert job_key(SECRET, "job/ä") == f"whsec_{base64.b64encode(expected).decode()}"


def test_standard_webhooks_libraries_take_a_job_key() -> None:
    key = job_key(SECRET, "job-1")

    signature = Webhook(key).sign("msg_1", NOON, "{}")

    [known] = JobKeys([SECRET]).of("job-1")
    message = f"msg_1.{int(NOON.timestamp())}.{{}}".encode()
    expected = base64.b64encode(known.standard_mac(message).digest()).decode()
    assert signature == f"v1,{expected}"


def test_jobs_and_secrets_have_keys_apart() -> None:
    secrets = [SECRET, f"{SECRET}!"]

    keys = {job_key(secret, job_id) for secret in secrets for job_id in ("a", "a/", "A", "ab")}

    assert len(keys) == 8


def test_while_rotating_the_newest_secret_gives_the_key_and_both_verify() -> None:
    new, old = JobKeys([f"{SECRET}!", SECRET]).of("job-1")

    assert (new.secret, old.secret) == (job_key(f"{SECRET}!", "job-1"), job_key(SECRET, "job-1"))
    assert old.name == f"job-key:{key_id(SECRET)}"
    assert new.name != old.name


def test_no_more_keys_are_remembered_than_the_bound() -> None:
    """Anybody can send to the URLs of jobs that do not exist."""
    keys = JobKeys([SECRET])

    for number in range(REMEMBERED + 100):
        keys.of(f"nobody-{number}")

    assert keys.of.cache_info().currsize == REMEMBERED
