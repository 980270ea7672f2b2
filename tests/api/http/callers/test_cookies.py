"""The session's cookie: which one counts, and how a browser is told to keep it."""

from __future__ import annotations

import pytest

from api.errors import InvalidSession
from api.http.callers.cookies import session_secret, with_secret, without_secret
from api.http.headers import Headers


def sent(*cookies: str) -> Headers:
    """Return the headers of a request with these cookies."""
    fields = {"Cookie": "; ".join(cookies)} if cookies else {}
    return lambda name: fields.get(name)


@pytest.mark.parametrize(
    ("cookies", "secret"),
    [
        ((), None),
        (("theme=dark",), None),
        (("milepost_session=a",), "a"),
        (("theme=dark", "milepost_session=a", "x=y"), "a"),
        (("x=y", "__Host-milepost_session=a"), "a"),
        (("not_milepost_session=a",), None),
        (("milepost_session_of=a",), None),
        (("Milepost_Session=a",), None),
        (("x=milepost_session=a",), None),
        (("milepost_session=",), ""),
        (("milepost_session=a", "milepost_session=a"), "a"),
    ],
)
def test_the_cookie_is_found_by_its_whole_name(cookies: tuple[str, ...], secret: str) -> None:
    assert session_secret(sent(*cookies)) == secret


@pytest.mark.parametrize(
    "cookies",
    [
        ("milepost_session=planted", "__Host-milepost_session=mine"),
        ("__Host-milepost_session=mine", "milepost_session=planted", "milepost_session=p"),
        ("__Secure-milepost_session=planted", "__Host-milepost_session=mine"),
    ],
)
def test_a_name_that_neighbours_cannot_set_hides_the_others(cookies: tuple[str, ...]) -> None:
    assert session_secret(sent(*cookies)) == "mine"


@pytest.mark.parametrize("name", ["milepost_session", "__Secure-milepost_session"])
def test_of_several_cookies_with_one_name_none_counts(name: str) -> None:
    with pytest.raises(InvalidSession):
        session_secret(sent(f"{name}=planted", f"{name}=mine"))


@pytest.mark.parametrize(
    ("prefix", "cookies", "secret"),
    [
        ("", ("milepost_session=planted",), None),
        ("", ("__Secure-milepost_session=planted",), None),
        ("", ("milepost_session=planted", "__Host-milepost_session=mine"), "mine"),
        ("/b", ("milepost_session=planted",), None),
        ("/b", ("__Secure-milepost_session=mine",), "mine"),
        ("/b", ("__Host-milepost_session=of /", "__Secure-milepost_session=mine"), "mine"),
    ],
)
def test_over_tls_only_the_name_counts_that_is_given_there(
    prefix: str, cookies: tuple[str, ...], secret: str | None
) -> None:
    assert session_secret(sent(*cookies), prefix, is_secure=True) == secret


def test_over_tls_the_cookie_is_bound_to_this_host() -> None:
    assert with_secret("s", "/", is_secure=True) == (
        "__Host-milepost_session=s; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure"
    )


def test_below_a_path_the_cookie_is_sent_there_alone() -> None:
    assert with_secret("s", "/milepost/", is_secure=True) == (
        "__Secure-milepost_session=s; Path=/milepost/; Max-Age=2592000; HttpOnly; SameSite=Lax; "
        "Secure"
    )


def test_without_tls_the_cookie_has_a_plain_name() -> None:
    assert with_secret("s", "/", is_secure=False) == (
        "milepost_session=s; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"
    )
    assert without_secret("/", is_secure=False) == (
        "milepost_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
    )
