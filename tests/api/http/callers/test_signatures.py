"""Three signature schemes, chosen by the headers that are present, never falling back."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest
from standardwebhooks.webhooks import Webhook
from werkzeug.datastructures import Headers

from api.errors import InvalidSignature
from api.http.callers.signatures import MAX_SLIP_BYTES, Sender, verify
from api.senders.signing_key import SigningKey, key_id
from api.settings.config import from_environment
from domain.job.events import Received
from tests.support.stores.deployment import NOON, Clock, Deployment
from tests.support.web.site import SECRET, Site, bearer, problem_of, sign

BODY = b'{"job_id": "job-1", "status": "provisioning"}'
STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105  of nothing
OLD, NEW, NEVER = "the secret of last year", "the secret of this year", "of no year"


def seed(body: bytes = BODY, secret: str = SECRET) -> dict[str, str]:
    return {"X-Signature": sign(body, secret)}


def github(body: bytes = BODY, secret: str = SECRET) -> dict[str, str]:
    return {"X-Hub-Signature-256": f"sha256={sign(body, secret)}"}


def standard(
    body: bytes = BODY, secret: bytes = SECRET.encode(), at: float = 0, message_id: str = "msg_1"
) -> dict[str, str]:
    """Sign as Standard Webhooks, `at` seconds after noon."""
    timestamp = str(int(NOON.timestamp() + at))
    message = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(secret, message, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def verified(headers: Mapping[str, str], *secrets: str, body: bytes = BODY) -> Sender:
    keys = [SigningKey(secret) for secret in secrets or (SECRET,)]
    return verify(Headers(dict(headers)).get, body, keys, Clock())


def refused(headers: Mapping[str, str], *secrets: str, body: bytes = BODY) -> str:
    with pytest.raises(InvalidSignature) as caught:
        verified(headers, *secrets, body=body)
    return str(caught.value)


# The schemes


def test_the_seeds_signature_is_the_hex_hmac_of_the_body() -> None:
    digest = hmac.new(b"key-of-the-test", b'{"a": 1}\n', "sha256").hexdigest()

    assert verified({"X-Signature": digest}, "key-of-the-test", body=b'{"a": 1}\n')


def test_githubs_published_example_is_verified() -> None:
    headers = {
        "X-Hub-Signature-256": (
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        )
    }

    assert verified(headers, "It's a Secret to Everybody", body=b"Hello, World!")
    assert refused(headers, "It's a Secret to Everybody", body=b"Hello, World?") == ""


def test_githubs_signature_needs_its_prefix() -> None:
    assert "sha256=" in refused({"X-Hub-Signature-256": sign(BODY)})
    refused({"X-Hub-Signature-256": "sha1=" + sign(BODY)})
    refused({"X-Hub-Signature-256": ""})


def test_what_the_standard_webhooks_library_signs_is_verified() -> None:
    signature = Webhook(STANDARD_SECRET).sign(
        "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", NOON, BODY.decode()
    )
    headers = {
        "webhook-id": "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",
        "webhook-timestamp": str(int(NOON.timestamp())),
        "webhook-signature": signature,
    }

    sender = verified(headers, STANDARD_SECRET)

    assert sender.callback_id == "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"
    assert sender.signed_by == f"standard-webhooks:{key_id(STANDARD_SECRET)}"


def test_a_secret_that_is_no_base64_is_the_key_itself() -> None:
    assert verified(standard(secret=SECRET.encode()), SECRET)


def test_each_scheme_is_taken_over_http_and_recorded_with_its_key(site: Site) -> None:
    for headers in (seed(), github(), standard()):
        assert site.unsigned(BODY, headers).status_code == 200

    signers = [fact.signed_by for fact in site.facts() if isinstance(fact, Received)]
    key = key_id(SECRET)
    assert signers == [
        f"x-signature:{key}",
        f"x-hub-signature-256:{key}",
        f"standard-webhooks:{key}",
    ]
    assert SECRET not in str(site.facts())


def test_header_names_are_read_in_any_case(memory_site: Site) -> None:
    for headers in (seed(), github(), standard()):
        shouted = {name.upper(): value for name, value in headers.items()}
        assert memory_site.unsigned(BODY, shouted).status_code == 200


# The window


@pytest.mark.parametrize("seconds", [-300, -299, 0, 299, 300])
def test_a_timestamp_within_300_seconds_is_taken(memory_site: Site, seconds: int) -> None:
    assert memory_site.unsigned(BODY, standard(at=seconds)).status_code == 200


@pytest.mark.parametrize("seconds", [-86_400, -301, 301, 86_400])
def test_a_timestamp_farther_away_is_refused(memory_site: Site, seconds: int) -> None:
    problem = problem_of(memory_site.unsigned(BODY, standard(at=seconds)), 401)

    assert "webhook-timestamp" in problem["detail"]


def test_the_window_moves_with_the_clock(memory_site: Site, clock: Clock) -> None:
    headers = standard()
    clock.advance(300)
    assert memory_site.unsigned(BODY, headers).status_code == 200

    clock.advance(1)
    problem_of(memory_site.unsigned(BODY, headers), 401)


@pytest.mark.parametrize(
    "timestamp",
    {
        "empty": "",
        "a word": "now",
        "negative": "-5",
        "signed": "+1772452800",
        "an exponent": "1e9",
        "a fraction": "1772452800.0",
        "hexadecimal": "0x69a57d40",
        "with a space": " 1772452800",
        "an underscore": "1_772_452_800",
        "wide digits": "\uff11\uff12\uff13".encode().decode("latin-1"),
        "a superscript": "\xb2",
        "milliseconds": "1772452800000",
        "huge": "9" * 400,
        "endless": "1" * 5000,
    }.items(),
    ids=lambda item: item[0],
)
def test_a_timestamp_that_is_no_number_of_seconds_is_refused(
    memory_site: Site, timestamp: tuple[str, str]
) -> None:
    message = f"msg_1.{timestamp[1]}.".encode() + BODY
    digest = base64.b64encode(hmac.new(SECRET.encode(), message, "sha256").digest()).decode()
    headers = {**standard(), "webhook-timestamp": timestamp[1], "webhook-signature": f"v1,{digest}"}

    problem_of(memory_site.unsigned(BODY, headers), 401)
    assert memory_site.position == 0


# Several keys, several signatures


def test_while_keys_rotate_old_and_new_are_taken(stores: Deployment) -> None:
    site = Site(stores, secrets=(NEW, OLD))

    for secret in (OLD, NEW):
        for headers in (
            seed(secret=secret),
            github(secret=secret),
            standard(secret=secret.encode(), message_id=secret.replace(" ", "-")),
        ):
            assert site.unsigned(BODY, headers).status_code == 200
    problem_of(site.unsigned(BODY, seed(secret=NEVER)), 401)

    signers = [str(fact.signed_by) for fact in site.facts() if isinstance(fact, Received)]
    keys = [signer.partition(":")[2] for signer in signers]
    assert keys == [key_id(OLD)] * 3 + [key_id(NEW)] * 3


def test_a_retired_key_is_refused() -> None:
    refused(seed(secret=OLD), NEW)
    refused(github(secret=OLD), NEW)
    refused(standard(secret=OLD.encode()), NEW)


def test_one_good_signature_among_several_is_enough() -> None:
    good = standard()
    other = standard(secret=b"another")["webhook-signature"]
    signature = good["webhook-signature"]

    for together in (
        f"{other} {signature}",
        f"{signature} {other}",
        f"v1a,{'A' * 88} {signature}",
        f"v1,not-base64 {signature}",
        f"v1, {signature}",
        f"garbage {signature}",
    ):
        assert verified({**good, "webhook-signature": together})


def test_the_list_of_signatures_is_not_read_for_ever() -> None:
    good = standard()
    other = standard(secret=b"another")["webhook-signature"]

    refused({**good, "webhook-signature": " ".join([other] * 5000 + [good["webhook-signature"]])})


@pytest.mark.parametrize(
    "signature",
    [
        "",
        " ",
        ",",
        "v1",
        "v1,",
        "v1,=",
        "v1,====",
        "v1,%%%%",
        "v1,AAAA",
        "v1,A",
        "v1,\u00e9\u00e9\u00e9\u00e9",
        "v1,\xff",
        "v2," + standard()["webhook-signature"].removeprefix("v1,"),
        standard()["webhook-signature"].removeprefix("v1,"),
        standard()["webhook-signature"] + "A",
        standard()["webhook-signature"].replace(",", ""),
        standard()["webhook-signature"].replace("v1,", "v1, "),
        standard()["webhook-signature"].rstrip("="),
        standard()["webhook-signature"].upper(),
    ],
)
def test_a_malformed_signature_is_refused(memory_site: Site, signature: str) -> None:
    answer = memory_site.unsigned(BODY, {**standard(), "webhook-signature": signature})

    problem_of(answer, 401, "invalid-signature")
    assert memory_site.position == 0


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_standard_webhooks_needs_all_three_headers(memory_site: Site, missing: str) -> None:
    headers = {name: value for name, value in standard().items() if name != missing}

    problem_of(memory_site.unsigned(BODY, headers), 401)


@pytest.mark.parametrize("changed", ["webhook-id", "webhook-timestamp"])
def test_id_and_timestamp_are_part_of_what_is_signed(memory_site: Site, changed: str) -> None:
    headers = standard()
    headers[changed] = {"webhook-id": "msg_2", "webhook-timestamp": str(int(NOON.timestamp()) + 1)}[
        changed
    ]

    problem_of(memory_site.unsigned(BODY, headers), 401)


# Never falling back


@pytest.mark.parametrize(
    "broken",
    [
        {**standard(), "webhook-signature": "v1,AAAA"},
        {**standard(), "webhook-signature": ""},
        standard(at=-301),
        {"webhook-id": "msg_1"},
        {"webhook-timestamp": str(int(NOON.timestamp()))},
        {"webhook-signature": standard()["webhook-signature"]},
    ],
    ids=["wrong", "empty", "old", "id alone", "timestamp alone", "signature alone"],
)
@pytest.mark.parametrize("good", [seed(), github()], ids=["x-signature", "github"])
def test_standard_headers_that_do_not_verify_are_not_made_good_by_another_scheme(
    memory_site: Site, broken: dict[str, str], good: dict[str, str]
) -> None:
    answer = memory_site.unsigned(BODY, {**good, **broken})

    problem_of(answer, 401, "invalid-signature")
    assert memory_site.position == 0


@pytest.mark.parametrize("broken", ["", "sha256=", "sha256=" + "0" * 64, "sha1=abc"])
def test_a_wrong_github_signature_is_not_made_good_by_the_seeds(
    memory_site: Site, broken: str
) -> None:
    answer = memory_site.unsigned(BODY, {**seed(), "X-Hub-Signature-256": broken})

    problem_of(answer, 401, "invalid-signature")


def test_a_signature_of_one_scheme_is_none_of_another() -> None:
    refused({"X-Signature": github()["X-Hub-Signature-256"]})
    refused({**standard(), "webhook-signature": f"v1,{sign(BODY)}"})
    refused({"X-Signature": standard()["webhook-signature"]})


def test_a_token_is_no_signature(memory_site: Site) -> None:
    answer = memory_site.unsigned(BODY, {"Authorization": f"Bearer {memory_site.token('admin')}"})

    problem_of(answer, 401, "invalid-signature")


# Secrets


def test_without_a_secret_nothing_verifies() -> None:
    for headers in (seed(secret=""), github(secret=""), standard(secret=b"")):
        with pytest.raises(InvalidSignature, match="no callback secret"):
            verify(Headers(headers).get, BODY, (), Clock())


def test_a_key_id_names_a_key_and_does_not_show_it() -> None:
    ids = {key_id(secret) for secret in (OLD, NEW, SECRET, STANDARD_SECRET)}

    assert len(ids) == 4
    assert all(len(each) == 8 and int(each, 16) >= 0 for each in ids)
    assert hashlib.sha256(OLD.encode()).hexdigest()[:8] not in ids


def test_a_secret_that_the_settings_take_verifies() -> None:
    configured = from_environment({"MILEPOST_CALLBACK_SECRET": f"{STANDARD_SECRET},{OLD}"})
    key = base64.b64decode(STANDARD_SECRET.removeprefix("whsec_"))

    assert verified(standard(secret=key), *configured.callback_secrets)
    assert verified(seed(secret=STANDARD_SECRET), *configured.callback_secrets)
    assert verified(seed(secret=OLD), *configured.callback_secrets)


def test_the_window_is_counted_from_the_servers_clock_in_any_time_zone() -> None:
    local = NOON.astimezone() + timedelta(seconds=300)

    assert verify(Headers(standard()).get, BODY, [SigningKey(SECRET)], Clock(local))


# What senders get wrong


@pytest.mark.parametrize("scheme", [seed, github])
def test_upper_case_hex_is_accepted(scheme: Callable[..., dict[str, str]]) -> None:
    [(name, value)] = scheme().items()
    upper = value.upper().replace("SHA256=", "sha256=")

    assert upper != value
    assert verified({name: upper})


def test_the_older_names_of_standard_webhooks_are_accepted(memory_site: Site) -> None:
    older = {name.replace("webhook-", "svix-"): value for name, value in standard().items()}

    assert verified(older).callback_id == verified(standard()).callback_id
    refused({**older, "svix-id": "msg_2"})
    refused({**seed(), "svix-signature": "v1,AAAA"})
    assert memory_site.unsigned(BODY, older).status_code == 200


@pytest.mark.parametrize("scheme", [seed, github, standard])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_secret_with_a_newline_is_named(
    memory_site: Site, scheme: Callable[..., dict[str, str]], end: str
) -> None:
    secret = f"{SECRET}{end}"
    headers = standard(secret=secret.encode()) if scheme is standard else scheme(secret=secret)

    problem = problem_of(memory_site.unsigned(BODY, headers), 401, "invalid-signature")

    assert "newline at its end" in problem["detail"]
    assert SECRET not in problem["detail"]


@pytest.mark.parametrize("scheme", [seed, github, standard])
def test_a_secret_in_quotation_marks_is_named(
    memory_site: Site, scheme: Callable[..., dict[str, str]]
) -> None:
    secret = f'"{SECRET}"'
    headers = standard(secret=secret.encode()) if scheme is standard else scheme(secret=secret)

    problem = problem_of(memory_site.unsigned(BODY, headers), 401, "invalid-signature")

    assert "quotation marks around it" in problem["detail"]
    assert SECRET not in problem["detail"]


def test_a_body_that_lost_its_newline_is_named(memory_site: Site) -> None:
    """`curl -d @file` drops line breaks, and `echo` adds one."""
    for signed, sent in ((BODY + b"\n", BODY), (BODY, BODY + b"\n")):
        answer = memory_site.unsigned(sent, {"X-Signature": sign(signed)})
        assert "differ in a newline" in problem_of(answer, 401)["detail"]


def test_a_secret_that_was_taken_as_the_other_scheme_takes_it_is_named() -> None:
    decoded = base64.b64decode(STANDARD_SECRET.removeprefix("whsec_"))
    as_bytes = {"X-Signature": hmac.new(decoded, BODY, hashlib.sha256).hexdigest()}
    as_text = standard(secret=STANDARD_SECRET.encode())

    for headers in (as_bytes, as_text):
        assert "base64 after whsec_" in refused(headers, STANDARD_SECRET)


class CountingKey(SigningKey):
    """Counts the bytes that are signed with it."""

    signed = 0

    def mac(self, message: bytes) -> hmac.HMAC:
        """See `SigningKey.mac`."""
        self.signed += len(message)
        return super().mac(message)


@pytest.mark.parametrize("size", [100, 4096, MAX_SLIP_BYTES, 2 * MAX_SLIP_BYTES])
def test_a_wrong_signature_costs_little_more_with_many_keys_than_to_verify_it(size: int) -> None:
    keys = [CountingKey(f"the secret of sender {number}") for number in range(200)]

    with pytest.raises(InvalidSignature):
        verify({"X-Signature": "0" * 64}.get, bytes(size), keys, Clock())

    beyond = sum(key.signed for key in keys) - size * len(keys)
    assert beyond <= 3 * MAX_SLIP_BYTES, "how often each slip was looked for"


def test_a_body_that_lost_its_newline_is_named_under_a_whsec_secret() -> None:
    headers = {"X-Signature": sign(BODY + b"\n", STANDARD_SECRET)}

    assert "differ in a newline" in refused(headers, STANDARD_SECRET)


def test_the_advice_fits_each_scheme_and_each_url(memory_site: Site) -> None:
    late = memory_site.unsigned(BODY, standard(at=-400))

    detail = problem_of(late, 401, "invalid-signature")["detail"]
    assert "Send X-Signature" not in detail
    assert "callback_key" in detail


def test_a_wrong_secret_is_told_nothing_more(memory_site: Site) -> None:
    for secret in ("another secret", f"{SECRET} ", f"{SECRET}\n\n"):
        answer = memory_site.unsigned(BODY, {"X-Signature": sign(BODY, secret)})
        detail = problem_of(answer, 401)["detail"]
        assert detail.startswith("The signature is missing, malformed or wrong.")


def test_a_secret_may_have_a_comma() -> None:
    both = f"{OLD},{NEW}"

    assert verified(seed(secret=both), both)
    assert "one secret a line" in refused(seed(secret=OLD), both)


# Near misses


@pytest.mark.parametrize("name", ["webhook", "svix"])
def test_a_time_in_milliseconds_is_named(memory_site: Site, name: str) -> None:
    milliseconds = str(int(NOON.timestamp() * 1000))
    headers = {**standard(), "webhook-timestamp": milliseconds}
    named = {each.replace("webhook-", f"{name}-"): value for each, value in headers.items()}

    detail = problem_of(memory_site.unsigned(BODY, named), 401, "invalid-signature")["detail"]

    assert "milliseconds" in detail
    assert "seconds since 1970" in detail


def in_base64(secret: str = SECRET) -> str:
    return base64.b64encode(bytes.fromhex(sign(BODY, secret))).decode()


FORMS = {
    "the prefix of GitHub": (f"sha256={sign(BODY)}", "begins with sha256="),
    "base64": (in_base64(), "base64"),
    "base64 without its end": (in_base64().rstrip("="), "base64"),
    "what openssl prints": (f"SHA2-256(stdin)= {sign(BODY)}", "not 64 hex digits"),
    "SHA-1": (sign(BODY)[:40], "not 64 hex digits"),
    "no signature": ("", "not 64 hex digits"),
    "no ASCII": ("\xe9" * 64, "not 64 hex digits"),
}


@pytest.mark.parametrize(("given", "said"), FORMS.values(), ids=FORMS)
def test_the_form_of_a_signature_is_named(memory_site: Site, given: str, said: str) -> None:
    answer = memory_site.unsigned(BODY, {"X-Signature": given})

    detail = problem_of(answer, 401, "invalid-signature")["detail"]
    assert said in detail
    assert "hex of HMAC-SHA256(secret, body)" in detail
    assert memory_site.position == 0


def test_github_signatures_in_base64_are_named() -> None:
    said = refused({"X-Hub-Signature-256": f"sha256={in_base64()}"})

    assert "X-Hub-Signature-256 seems to be base64" in said
    assert "sha256=, then" in said


def test_a_form_is_named_without_a_look_at_the_keys() -> None:
    """Strangers learn the same as a sender that has the secret."""
    for given in (f"sha256={sign(BODY, NEVER)}", in_base64(NEVER), "abc"):
        by_stranger = refused({"X-Signature": given}, OLD)

        assert by_stranger == refused({"X-Signature": given}, NEVER)


def test_the_sha_1_signature_of_github_is_named(memory_site: Site) -> None:
    digest = hmac.new(SECRET.encode(), BODY, "sha1").hexdigest()

    answer = memory_site.unsigned(BODY, {"X-Hub-Signature": f"sha1={digest}"})

    detail = problem_of(answer, 401, "invalid-signature")["detail"]
    assert "X-Hub-Signature-256 is needed" in detail
    assert verified({"X-Hub-Signature": f"sha1={digest}", **github()})


def test_a_token_in_place_of_a_signature_is_named(memory_site: Site) -> None:
    said = {
        problem_of(memory_site.unsigned(BODY, bearer(token)), 401, "invalid-signature")["detail"]
        for token in (memory_site.token("admin"), "mp_0123456789ab_x")
    }

    [detail] = said
    assert "Callbacks are signed" in detail
    assert "tokens are for reads" in detail
