"""Signing in with a token, and signing out."""

from __future__ import annotations

import logging
import re
from urllib.parse import urlencode

import pytest
from werkzeug.test import TestResponse

from api.http.flask_side.app import MOST_PARAMETERS
from api.pages.forms import MAX_FORM_BYTES, MOST_FIELDS
from api.sessions import form_token
from domain.few_lines import PER_MINUTE
from tests.support.web.site import ADMIN, Site, everything_in, problem_of

WRONG = (
    "",
    "nonsense",
    ADMIN[:-1],
    f"{ADMIN}x",
    "mp_",
    "mp_0123456789ab_" + "x" * 43,
    "mp_'; DROP TABLE milepost_tokens; --_x",
    "\xe9\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
)


def post(site: Site, path: str = "/sign-in", **fields: str) -> TestResponse:
    """Send a form."""
    return site.client.post(path, data=fields)


def sign_out(site: Site, cookie: str, csrf: str | None = None, **headers: str) -> TestResponse:
    """Sign out, with the proof of the cookie's session unless another one is given."""
    proof = form_token(cookie.partition("=")[2]) if csrf is None else csrf
    sent = {"Cookie": cookie, **headers}
    return site.client.post("/sign-out", data={"csrf": proof}, headers=sent)


def test_the_form_asks_for_a_token(memory_site: Site) -> None:
    answer = memory_site.client.get("/sign-in")

    assert answer.status_code == 200
    assert "milepost tokens create" in answer.text
    assert "<code>admin-token</code>" in answer.text
    assert "<code>.milepost/admin-token</code>" in answer.text
    assert 'type="password"' in answer.text
    assert "form-action 'self'" in answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("kind", ["made", "admin"])
def test_a_token_signs_in_and_the_browser_gets_no_token(site: Site, kind: str) -> None:
    token = ADMIN if kind == "admin" else site.token("read")

    answer = post(site, token=f"  {token}\n")

    assert answer.status_code == 303
    assert answer.headers["Location"] == "/"
    [cookie] = answer.headers.getlist("Set-Cookie")
    assert re.fullmatch(
        r"milepost_session=[\w-]{43}; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax", cookie
    )
    assert token.split("_", 2)[-1] not in str(answer.headers) + answer.text
    assert site.look("/api/jobs", cookie.partition(";")[0]).status_code == 200


@pytest.mark.parametrize("token", WRONG)
def test_a_wrong_token_is_told_in_a_sentence(site: Site, token: str) -> None:
    answer = post(site, token=token, next="/jobs/job-1")

    assert answer.status_code == 401
    assert "Milepost does not know this token" in answer.text
    assert 'value="/jobs/job-1"' in answer.text
    assert "Set-Cookie" not in answer.headers
    assert len(token) < 8 or token not in answer.text


def test_a_revoked_token_does_not_sign_in(site: Site) -> None:
    token = site.token("read")
    site.services.tokens.revoke(token.split("_")[1], "now")

    assert post(site, token=token).status_code == 401


def test_a_token_that_may_not_read_is_told_so(memory_site: Site) -> None:
    answer = post(memory_site, token=memory_site.token("write"))

    assert answer.status_code == 403
    assert "may not read" in answer.text
    assert "Set-Cookie" not in answer.headers


def test_wrong_tokens_are_logged_a_few_times_and_never_shown(
    memory_site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        for number in range(PER_MINUTE + 5):
            post(memory_site, token=f"guess-{number}")
        memory_site.sign_in()

    assert len(caplog.messages) == PER_MINUTE
    assert "POST '/sign-in': a wrong token" in caplog.messages[0]
    assert "guess" not in caplog.text
    assert ADMIN not in caplog.text


def test_every_sign_in_begins_a_session_of_its_own(site: Site) -> None:
    """What an attacker has put into a browser is not continued (session fixation)."""
    planted = site.sign_in(site.token("read"))

    answer = site.client.post("/sign-in", data={"token": ADMIN}, headers={"Cookie": planted})

    own = answer.headers["Set-Cookie"].partition(";")[0]
    assert own != planted
    assert site.look("/api/jobs", own).status_code == 200
    problem_of(site.look("/api/jobs", planted), 401, "invalid-session")


def test_a_secret_that_the_browser_brings_is_not_taken(memory_site: Site) -> None:
    planted = "milepost_session=" + "A" * 43
    memory_site.client.post("/sign-in", data={"token": ADMIN}, headers={"Cookie": planted})

    problem_of(memory_site.look("/api/jobs", planted), 401, "invalid-session")


# Where the browser goes next


@pytest.mark.parametrize(
    "wanted",
    ["/jobs", "/jobs/job-1?version=3&x=%20", "/jobs/a//b", "/jobs?next=//evil", "/%2f%2fevil"],
)
def test_the_browser_goes_to_the_page_that_it_wanted(memory_site: Site, wanted: str) -> None:
    form = memory_site.client.get(f"/sign-in?{urlencode({'next': wanted})}")
    shown = wanted.replace("&", "&amp;")
    assert f'name="next" value="{shown}"' in form.text

    assert post(memory_site, token=ADMIN, next=wanted).headers["Location"] == wanted


@pytest.mark.parametrize(
    "wanted",
    [
        "",
        "jobs",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/\r\nSet-Cookie: a=b",
        " //evil.example",
        "https://evil.example/",
        "https:evil.example",
        "javascript:alert(1)",
        "/jobs\\..\\",
        "/\u2028/evil",
        "/" + "a" * 3000,
    ],
)
def test_the_browser_goes_to_no_other_site(memory_site: Site, wanted: str) -> None:
    form = memory_site.client.get(f"/sign-in?{urlencode({'next': wanted})}")
    assert 'name="next" value="/"' in form.text

    assert post(memory_site, token=ADMIN, next=wanted).headers["Location"] == "/"
    assert 'name="next" value="/"' in post(memory_site, token=WRONG[1], next=wanted).text


def test_what_the_form_repeats_is_text(memory_site: Site) -> None:
    wanted = '/"><script>alert(1)</script>'

    for answer in (
        memory_site.client.get(f"/sign-in?{urlencode({'next': wanted})}"),
        post(memory_site, token=WRONG[1], next=wanted),
    ):
        assert "<script>alert" not in answer.text


# Forms of other sites


OTHERS = (
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    {"Origin": "https://evil.example"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "http://localhost:81"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://["},
)
OURS: tuple[dict[str, str], ...] = (
    {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
    {"Sec-Fetch-Site": "same-origin"},
    {"Origin": "http://localhost"},
    {"Origin": "https://localhost"},
    {},
)


@pytest.mark.parametrize("headers", OTHERS)
def test_another_site_signs_nobody_in_or_out(memory_site: Site, headers: dict[str, str]) -> None:
    cookie = memory_site.sign_in()

    answer = memory_site.client.post("/sign-in", data={"token": ADMIN}, headers=headers)
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers
    assert sign_out(memory_site, cookie, **headers).status_code == 403
    assert memory_site.look("/api/jobs", cookie).status_code == 200


@pytest.mark.parametrize("headers", OURS)
def test_our_own_pages_sign_in_and_out(memory_site: Site, headers: dict[str, str]) -> None:
    cookie = memory_site.sign_in(**headers)

    assert sign_out(memory_site, cookie, **headers).status_code == 303


def test_the_public_url_is_ours_behind_a_proxy_that_names_another_host(proxied_site: Site) -> None:
    settings = {"public_url": "https://milepost.example/x"}
    site = Site(proxied_site.deployment, **settings)

    assert site.sign_in(Origin="https://milepost.example")


# Over TLS


def test_over_tls_the_cookie_is_secure_and_bound_to_the_host(proxied_site: Site) -> None:
    answer = proxied_site.client.post(
        "/sign-in", data={"token": ADMIN}, headers={"X-Forwarded-Proto": "https"}
    )

    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-milepost_session=")
    assert cookie.endswith("; HttpOnly; SameSite=Lax; Secure")
    assert proxied_site.look("/api/jobs", cookie.partition(";")[0]).status_code == 200


def test_a_public_url_with_tls_makes_the_cookie_secure(memory_site: Site) -> None:
    site = Site(memory_site.deployment, public_url="https://milepost.example")

    for host in ("milepost.example", "Milepost.Example:443"):
        assert site.sign_in(Host=host).startswith("__Host-")
    assert not site.sign_in(Host="localhost:8000").startswith("__")


@pytest.mark.parametrize("name", ["milepost_session", "__Secure-milepost_session"])
def test_over_tls_no_cookie_counts_that_a_neighbour_can_set(proxied_site: Site, name: str) -> None:
    planted = f"{name}={proxied_site.sign_in().partition('=')[2]}"

    for path in ("/api/jobs", "/api/jobs/job-1"):
        answer = proxied_site.look(path, planted, **{"X-Forwarded-Proto": "https"})
        problem_of(answer, 401, "missing-token")


def test_with_a_public_url_over_tls_no_plain_cookie_counts_there(memory_site: Site) -> None:
    site = Site(memory_site.deployment, public_url="https://milepost.example")
    plain = site.sign_in(Host="localhost:8000")

    assert site.look("/api/jobs", plain, Host="localhost:8000").status_code == 200
    problem_of(site.look("/api/jobs", plain, Host="milepost.example"), 401, "missing-token")


def test_below_a_prefix_the_cookie_and_the_next_page_are(proxied_site: Site) -> None:
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/milepost"}
    answer = proxied_site.client.post(
        "/sign-in", data={"token": ADMIN, "next": "/jobs"}, headers=headers
    )

    assert answer.headers["Location"] == "/milepost/jobs"
    assert answer.headers["Set-Cookie"].startswith("__Secure-milepost_session=")
    assert "; Path=/milepost/; " in answer.headers["Set-Cookie"]


# Signing out


def test_signing_out_ends_the_session_and_forgets_it(site: Site) -> None:
    cookie, other = site.sign_in(), site.sign_in()
    assert site.look("/api/jobs", cookie).status_code == 200

    answer = sign_out(site, cookie)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")
    assert answer.headers["Set-Cookie"].startswith("milepost_session=; Path=/; Max-Age=0;")
    problem_of(site.look("/api/jobs", cookie), 401, "invalid-session")
    assert site.look("/api/jobs", other).status_code == 200


@pytest.mark.parametrize("csrf", ["", "x", "A" * 43, "\xe9", form_token("A" * 43)])
def test_signing_out_wants_the_proof_of_the_session(memory_site: Site, csrf: str) -> None:
    cookie = memory_site.sign_in()

    answer = sign_out(memory_site, cookie, csrf)

    assert answer.status_code == 403
    assert "Nothing was changed" in answer.text
    assert memory_site.look("/api/jobs", cookie).status_code == 200


def test_the_proof_of_another_session_does_not_count(memory_site: Site) -> None:
    cookie, attackers = memory_site.sign_in(), memory_site.sign_in()

    assert sign_out(memory_site, cookie, form_token(attackers.partition("=")[2])).status_code == 403


def test_signing_out_changes_nothing_by_get(memory_site: Site) -> None:
    cookie = memory_site.sign_in()

    assert memory_site.look("/sign-out", cookie).status_code == 405
    assert memory_site.look("/api/jobs", cookie).status_code == 200


@pytest.mark.parametrize("cookie", ["", "milepost_session=a; milepost_session=b"])
def test_who_has_not_signed_in_signs_out_all_the_same(memory_site: Site, cookie: str) -> None:
    answer = memory_site.client.post("/sign-out", headers={"Cookie": cookie})

    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")


# What is kept of it


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out"])
def test_no_cache_keeps_what_signing_in_answers(memory_site: Site, path: str) -> None:
    for answer in (memory_site.client.get("/sign-in"), post(memory_site, path, token=ADMIN)):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers.getlist("Referrer-Policy") == ["same-origin"]


def test_a_database_has_no_secret_of_a_session(database_site: Site) -> None:
    secret = database_site.sign_in().partition("=")[2]

    assert secret.encode() not in everything_in(database_site)


def test_a_form_is_short(memory_site: Site) -> None:
    problem_of(post(memory_site, token="x" * MAX_FORM_BYTES), 413)


def test_a_path_that_nobody_is_led_to_is_not_repeated(memory_site: Site) -> None:
    """Two quotings made an answer of 330 KB of a request of 56 KB."""
    for query, location in (
        ("a&" * 9, f"/sign-in?next=%2Fjobs%3F{'a%26' * 9}"),
        ("a" * 9000, "/sign-in"),
    ):
        answer = memory_site.client.get(f"/jobs?{query}")
        assert (answer.status_code, answer.headers["Location"]) == (303, location)


def test_a_query_has_a_bounded_number_of_parameters(memory_site: Site) -> None:
    """To read 28,000 of them took 20 ms, and anybody may send them."""
    for path, status in (("/sign-in", 200), ("/api/jobs", 401)):
        asked = [f"{path}?{'&' * count}" for count in (MOST_PARAMETERS - 1, MOST_PARAMETERS)]
        answers = [memory_site.client.get(each) for each in asked]
        assert [each.status_code for each in answers] == [status, 414]


@pytest.mark.parametrize("form", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_form_has_few_fields(memory_site: Site, form: str) -> None:
    """Anybody may send one to the page for signing in: 60 KB of fields took 40 ms to read."""

    def sent(count: int) -> int:
        fields = {f"field-{number}": "x" for number in range(count)}
        given = {"token": ADMIN, **fields}
        return memory_site.client.post("/sign-in", data=given, content_type=form).status_code

    assert [sent(MOST_FIELDS - 1), sent(MOST_FIELDS)] == [303, 413]
