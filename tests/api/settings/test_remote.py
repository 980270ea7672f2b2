"""Where commands find a server, and which token they show it."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.settings.remote import Remote, remote_from_environment
from api.settings.variables import InvalidSetting

ADMIN = "an-admin-token-for-tests"


def test_without_more_it_is_this_machines_server_with_the_stored_admin_token(
    tmp_path: Path,
) -> None:
    file = tmp_path / "admin-token"
    file.write_text(f"{ADMIN}\n", encoding="utf-8")
    file.chmod(0o600)
    environment = {"MILEPOST_HOME": str(tmp_path), "MILEPOST_PORT": "8123"}

    assert remote_from_environment(None, environment) == Remote(
        "http://127.0.0.1:8123", ADMIN, str(file)
    )


def test_the_option_goes_before_the_url_and_the_token_before_the_admin_token() -> None:
    environment = {
        "MILEPOST_URL": "https://milepost.example/m",
        "MILEPOST_TOKEN": "a-token",
        "MILEPOST_ADMIN_TOKEN": ADMIN,
    }

    found = remote_from_environment(None, environment)
    named = remote_from_environment("http://other:80", environment)

    assert found == Remote("https://milepost.example/m", "a-token", "MILEPOST_TOKEN")
    assert named.url == "http://other:80"


@pytest.mark.parametrize("name", ["MILEPOST_TOKEN", "MILEPOST_ADMIN_TOKEN"])
def test_the_file_that_has_the_token_is_named(name: str, tmp_path: Path) -> None:
    """The command says at its end with which token a person signs in."""
    file = tmp_path / "of-the-service"
    file.write_text(f"{ADMIN}\n", encoding="utf-8")

    found = remote_from_environment(None, {f"{name}_FILE": str(file)})

    assert (found.token, found.source) == (ADMIN, str(file))


@pytest.mark.parametrize(
    "url",
    ["http://localhost:9", "http://[::1]:9/m", "https://m.example", "https://M.Example:443/"],
)
def test_the_admin_token_goes_to_this_machine_and_to_the_servers_own_address(url: str) -> None:
    environment = {"MILEPOST_ADMIN_TOKEN": ADMIN, "MILEPOST_PUBLIC_URL": "https://m.example"}

    assert remote_from_environment(url, environment) == Remote(url, ADMIN, "MILEPOST_ADMIN_TOKEN")


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1.example", "http://m.example", "http://10.0.0.1"]
)
def test_no_other_server_gets_the_admin_token(url: str) -> None:
    environment = {"MILEPOST_ADMIN_TOKEN": ADMIN, "MILEPOST_PUBLIC_URL": "https://m.example"}

    with pytest.raises(InvalidSetting, match=r"^MILEPOST_TOKEN: unset, and the admin token") as at:
        remote_from_environment(url, environment)

    assert ADMIN not in str(at.value)


@pytest.mark.parametrize(
    "url", ["milepost.example", "ftp://a", "http://", "http://a:b", "http://a?b", "http://u@a"]
)
def test_a_url_that_is_none_names_its_variable(url: str) -> None:
    with pytest.raises(InvalidSetting, match=r"^MILEPOST_URL: .* is not like http://127"):
        remote_from_environment(None, {"MILEPOST_URL": url, "MILEPOST_TOKEN": "a-token"})


@pytest.mark.parametrize("token", ["two words", "a\nb", "pass\u00e9"])
def test_a_token_that_no_header_can_carry_names_its_variable(token: str) -> None:
    with pytest.raises(InvalidSetting, match=r"^MILEPOST_TOKEN: must be ASCII"):
        remote_from_environment(None, {"MILEPOST_TOKEN": token})


def test_without_any_token_all_places_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match=r"MILEPOST_TOKEN_FILE.*MILEPOST_ADMIN_TOKEN_FILE"):
        remote_from_environment(None, {"MILEPOST_HOME": str(tmp_path)})
