"""Settings: read once from the environment, checked, and never shown where they are secret."""

from __future__ import annotations

import base64
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from api.settings.config import from_environment
from api.settings.credentials import with_credentials, with_stored_checkpoint_key
from api.settings.home import make_home
from api.settings.settings import Settings
from api.settings.variables import InvalidSetting
from domain.evidence.signing_keys import PrivateKey

SIGNER = PrivateKey.generate("milepost.example")
KEY = base64.b64encode(b"k" * 32).decode()
TOKEN = "a-token-of-16-or-more"  # noqa: S105  of nothing
SECRET = "a-secret-of-8-or-more"  # noqa: S105  of nothing
JOB_KEY_SECRET = "a-secret-of-thirty-two-or-more-letters"  # noqa: S105  of nothing
POSTGRES = "postgresql://localhost/milepost"
APP = "https://app.example"

ReadAs = tuple[str, str, dict[str, Any]]


def settings_that_are_read(folder: Path) -> list[ReadAs]:
    """Return each variable with a value and what the settings are then."""
    url = f"sqlite:///{folder}/other.db"
    return [
        ("MILEPOST_HOME", str(folder), {"home": folder}),
        ("MILEPOST_DATABASE_URL", url, {"database_url": url, "sqlite_file": folder / "other.db"}),
        ("MILEPOST_DATABASE_URL", POSTGRES, {"database_url": POSTGRES, "database": "postgresql"}),
        ("MILEPOST_CALLBACK_SECRET", SECRET, {"callback_secrets": (SECRET,)}),
        ("GITHUB_CALLBACK_SECRET", SECRET, {"callback_secrets": (SECRET,)}),
        ("MILEPOST_JOB_KEY_SECRET", JOB_KEY_SECRET, {"job_key_secrets": (JOB_KEY_SECRET,)}),
        ("MILEPOST_LINK_SECRET", JOB_KEY_SECRET, {"link_secrets": (JOB_KEY_SECRET,)}),
        ("MILEPOST_SHARED_SECRET", "off", {"takes_shared_secret": False}),
        ("MILEPOST_PUBLIC_BADGES", "on", {"public_badges": True}),
        ("MILEPOST_PUBLIC_URL", "https://m.example/", {"public_url": "https://m.example"}),
        ("MILEPOST_SIGNATURES", "dated", {"dated_signatures": True}),
        ("MILEPOST_LOG_FORMAT", "json", {"log_format": "json"}),
        ("MILEPOST_ADMIN_TOKEN", TOKEN, {"admin_token": TOKEN}),
        ("MILEPOST_CHECKPOINT_KEY", SIGNER.secret(), {"checkpoint_keys": (SIGNER.secret(),)}),
        (
            "MILEPOST_CHECKPOINT_TRUSTED",
            str(SIGNER.public),
            {"checkpoint_trusted": (str(SIGNER.public),)},
        ),
        ("MILEPOST_WORKFLOWS", str(folder), {"workflows": folder}),
        ("MILEPOST_HOST", "0.0.0.0", {"host": "0.0.0.0"}),  # noqa: S104  nobody listens
        ("MILEPOST_PORT", "8080", {"port": 8080}),
        ("MILEPOST_WORKERS", "1", {"workers": 1}),
        ("MILEPOST_CONNECTIONS", "100", {"connections": 100}),
        ("MILEPOST_DATABASE_CONNECTIONS", "3", {"database_connections": 3}),
        ("MILEPOST_CONNECTIONS_PER_ADDRESS", "10", {"connections_per_address": 10}),
        ("MILEPOST_TRUSTED_PROXIES", "::1", {"trusted_proxies": ("::1",)}),
        ("MILEPOST_PATH_PREFIX", "/milepost", {"path_prefix": "/milepost"}),
        ("MILEPOST_PATH_PREFIX", "/a/b/", {"path_prefix": "/a/b"}),
        ("MILEPOST_CORS_ORIGINS", APP, {"cors_origins": (APP,)}),
        ("MILEPOST_FRAME_ORIGINS", f"{APP}:8443", {"frame_origins": (f"{APP}:8443",)}),
        ("MILEPOST_FRAME_ORIGINS", "none", {"frame_origins": ("'none'",)}),
        ("MILEPOST_CORS_ORIGINS", "http://[::1]:3000", {"cors_origins": ("http://[::1]:3000",)}),
        ("MILEPOST_DRAIN_SECONDS", "0", {"drain_seconds": 0}),
        ("CIPHER_KEY", KEY, {"store": {"CIPHER_KEY": KEY, "CIPHER_TOPIC": _AES}}),
        ("COMPRESSOR_TOPIC", "zlib", {"store": {"COMPRESSOR_TOPIC": "zlib"}}),
    ]


_AES = "eventsourcing.cryptography:AESCipher"


def fault(**environment: str) -> str:
    """Return what is said of an environment that cannot be used: one line."""
    with pytest.raises(InvalidSetting) as caught:
        from_environment(environment)
    said = str(caught.value)
    assert "\n" not in said
    return said


# Values


def test_a_word_that_a_setting_does_not_know_is_refused() -> None:
    said = fault(MILEPOST_SIGNATURES="Dated")

    assert said == "MILEPOST_SIGNATURES: must be all or dated, not 'Dated'"
    said = fault(MILEPOST_SHARED_SECRET="no")  # noqa: S106  it is none
    assert said == "MILEPOST_SHARED_SECRET: must be on or off, not 'no'"


def test_a_job_key_secret_is_long_and_no_callback_secret() -> None:
    assert "32" in fault(MILEPOST_JOB_KEY_SECRET="s" * 31)
    assert "no secret" in fault(MILEPOST_JOB_KEY_SECRET=" , ")  # noqa: S106  it is none
    for name in ("MILEPOST_CALLBACK_SECRET", "GITHUB_CALLBACK_SECRET"):
        secrets = f"{JOB_KEY_SECRET}2,{JOB_KEY_SECRET}"
        said = fault(**{"MILEPOST_JOB_KEY_SECRET": secrets, name: JOB_KEY_SECRET})
        assert said.startswith("MILEPOST_JOB_KEY_SECRET: must not be a callback secret")


def test_a_link_secret_is_long_and_no_other_secret() -> None:
    assert "32" in fault(MILEPOST_LINK_SECRET="s" * 31)
    assert "no secret" in fault(MILEPOST_LINK_SECRET=" , ")  # noqa: S106  it is none
    for name in ("MILEPOST_CALLBACK_SECRET", "MILEPOST_JOB_KEY_SECRET"):
        secrets = f"{JOB_KEY_SECRET}2,{JOB_KEY_SECRET}"
        said = fault(**{"MILEPOST_LINK_SECRET": secrets, name: JOB_KEY_SECRET})
        assert said.startswith("MILEPOST_LINK_SECRET: must be no callback or job key secret")


@pytest.mark.parametrize(
    "url",
    [
        "milepost.example",
        "ftp://m.example",
        "https://",
        "https://m.example/?a=b",
        "https://a:b@m",
        "https://m.example:port",
        "https://[m.example",
    ],
)
def test_a_public_url_is_one_of_the_web(url: str) -> None:
    assert fault(MILEPOST_PUBLIC_URL=url).startswith("MILEPOST_PUBLIC_URL: must be a URL")


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("https://Milepost.Example/Below/", "https://milepost.example/Below"),
        ("HTTPS://m.example:443", "https://m.example"),
        ("http://m.example:80/", "http://m.example"),
        ("https://m.example:80", "https://m.example:80"),
        ("https://[2001:DB8::1]:8443", "https://[2001:db8::1]:8443"),
    ],
)
def test_a_public_url_has_the_host_and_port_that_browsers_send(given: str, used: str) -> None:
    assert from_environment({"MILEPOST_PUBLIC_URL": given}).public_url == used


def test_an_empty_environment_has_the_documented_defaults() -> None:
    settings = from_environment({})

    assert settings == Settings(
        home=Path(".milepost"), database_url=f"sqlite:///{Path.cwd()}/.milepost/milepost.db"
    )
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8000, 1)
    assert settings.database == "sqlite"
    assert settings.sqlite_file == Path.cwd() / ".milepost/milepost.db"


def test_every_variable_is_read(tmp_path: Path) -> None:
    for name, value, expected in settings_that_are_read(tmp_path):
        settings = from_environment({name: value})
        assert {field: getattr(settings, field) for field in expected} == expected, name


def test_every_variable_is_read_from_the_file_that_name_file_names(tmp_path: Path) -> None:
    file = tmp_path / "value"
    for name, value, expected in settings_that_are_read(tmp_path):
        file.write_text(f"{value}\n")
        settings = from_environment({f"{name}_FILE": str(file)})
        assert {field: getattr(settings, field) for field in expected} == expected, name


def test_a_variable_and_its_file_together_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "value"
    for name, value, _ in settings_that_are_read(tmp_path):
        file.write_text(value)
        said = fault(**{name: value, f"{name}_FILE": str(file)})
        assert said.startswith(f"{name}:")
        assert f"{name}_FILE" in said


def test_an_empty_variable_is_an_unset_one(tmp_path: Path) -> None:
    names = {name for name, _, _ in settings_that_are_read(tmp_path)}

    assert from_environment(dict.fromkeys(names, "")) == from_environment({})
    assert from_environment({f"{name}_FILE": "" for name in names}) == from_environment({})


@pytest.mark.parametrize("name", ["MILEPOST_CALLBACK_SECRET", "GITHUB_CALLBACK_SECRET"])
def test_a_secret_file_has_one_secret_a_line(tmp_path: Path, name: str) -> None:
    file = tmp_path / "secrets"
    file.write_text("new, with a comma\r\n\n  the old secret  \n")

    assert from_environment({f"{name}_FILE": str(file)}).callback_secrets == (
        "new, with a comma",
        "the old secret",
    )
    assert from_environment({name: "new-secret,old-secret"}).callback_secrets == (
        "new-secret",
        "old-secret",
    )


def test_a_byte_order_mark_is_no_part_of_a_value(tmp_path: Path) -> None:
    """Editors for Windows begin a file with one."""
    file = tmp_path / "token"
    file.write_text(TOKEN, encoding="utf-8-sig")

    assert from_environment({"MILEPOST_ADMIN_TOKEN_FILE": str(file)}).admin_token == TOKEN


def test_a_file_that_is_not_utf_8_is_refused_with_this_reason(tmp_path: Path) -> None:
    """Some shells for Windows write UTF-16."""
    file = tmp_path / "token"
    file.write_text(TOKEN, encoding="utf-16")

    said = fault(MILEPOST_ADMIN_TOKEN_FILE=str(file))

    assert said.startswith(f"MILEPOST_ADMIN_TOKEN_FILE: {file} must be UTF-8: ")


def test_a_file_without_an_end_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.symlink_to("/dev/zero")

    assert "has more than 65,536 bytes" in fault(MILEPOST_ADMIN_TOKEN_FILE=str(file))


def test_a_value_may_come_through_a_pipe(tmp_path: Path) -> None:
    """So a shell passes what a command prints: MILEPOST_ADMIN_TOKEN_FILE=<(pass show token)."""
    reading, writing = os.pipe()
    os.write(writing, TOKEN.encode())
    os.close(writing)
    try:
        settings = from_environment({"MILEPOST_ADMIN_TOKEN_FILE": f"/dev/fd/{reading}"})
    finally:
        os.close(reading)

    assert settings.admin_token == TOKEN


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    empty, latin = tmp_path / "empty", tmp_path / "latin"
    empty.write_text(" \n")
    latin.write_bytes("Zürich".encode("latin-1"))

    for path in (tmp_path / "nowhere", tmp_path, empty, latin):
        said = fault(MILEPOST_ADMIN_TOKEN_FILE=str(path))
        assert said.startswith("MILEPOST_ADMIN_TOKEN_FILE:")
        assert str(path) in said


def test_command_line_options_go_before_the_environment() -> None:
    environment = {"MILEPOST_HOST": "::1", "MILEPOST_PORT": "1", "MILEPOST_WORKERS": "1"}

    settings = from_environment(
        {**environment, "MILEPOST_DATABASE_URL": POSTGRES}, host="127.0.0.2", port=2, workers=3
    )

    assert (settings.host, settings.port, settings.workers) == ("127.0.0.2", 2, 3)


def test_the_database_is_in_the_home_unless_it_is_said(tmp_path: Path) -> None:
    settings = from_environment({"MILEPOST_HOME": str(tmp_path)})

    assert settings.sqlite_file == tmp_path / "milepost.db"


def test_a_path_in_a_url_is_unescaped() -> None:
    settings = from_environment({"MILEPOST_DATABASE_URL": "sqlite:////srv/my%20data/m.db"})

    assert settings.sqlite_file == Path("/srv/my data/m.db")


def test_several_secrets_are_separated_by_commas() -> None:
    settings = from_environment({"MILEPOST_CALLBACK_SECRET": f" {SECRET}1 ,{SECRET}2,"})

    assert settings.callback_secrets == (f"{SECRET}1", f"{SECRET}2")


def test_our_name_for_the_secret_goes_before_the_seeds() -> None:
    settings = from_environment(
        {"MILEPOST_CALLBACK_SECRET": f"{SECRET}1", "GITHUB_CALLBACK_SECRET": f"{SECRET}2"}
    )

    assert settings.callback_secrets == (f"{SECRET}1",)


def test_settings_are_frozen() -> None:
    settings: Any = from_environment({})

    with pytest.raises(AttributeError):
        settings.port = 1


# Values that cannot be used


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MILEPOST_DATABASE_URL", "mysql://localhost/milepost"),
        ("MILEPOST_DATABASE_URL", "sqlite://"),
        ("MILEPOST_DATABASE_URL", "sqlite:///"),
        ("MILEPOST_DATABASE_URL", "milepost.db"),
        ("MILEPOST_DATABASE_URL", "postgresql+psycopg://localhost/milepost"),
        ("MILEPOST_DATABASE_URL", "postgresql://[::1/milepost"),
        ("MILEPOST_DATABASE_URL", "postgresql://localhost/milepost?no_such_option=1"),
        ("MILEPOST_DATABASE_URL", "postgresql://localhost:many/milepost"),
        ("MILEPOST_CALLBACK_SECRET", "short"),
        ("MILEPOST_CALLBACK_SECRET", f"{SECRET},short"),
        ("MILEPOST_CALLBACK_SECRET", " , ,"),
        ("MILEPOST_CALLBACK_SECRET", "whsec_not base64!"),
        ("MILEPOST_CALLBACK_SECRET", "whsec_AA=="),
        ("GITHUB_CALLBACK_SECRET", "short"),
        ("MILEPOST_ADMIN_TOKEN", "short"),
        ("MILEPOST_ADMIN_TOKEN", "with spaces in the middle"),
        ("MILEPOST_ADMIN_TOKEN", "with-a-tab-\t-in-the-middle"),
        ("MILEPOST_ADMIN_TOKEN", "with-a-newline-\n-in-the-middle"),
        ("MILEPOST_ADMIN_TOKEN", "zürich-zürich-zürich"),
        ("MILEPOST_WORKFLOWS", "/nowhere/at/all"),
        ("MILEPOST_PORT", "0"),
        ("MILEPOST_PORT", "65536"),
        ("MILEPOST_PORT", "http"),
        ("MILEPOST_PORT", "-1"),
        ("MILEPOST_PORT", "80.0"),
        ("MILEPOST_PORT", "\uff18\uff10"),
        ("MILEPOST_PORT", "9" * 5000),
        ("MILEPOST_WORKERS", "0"),
        ("MILEPOST_WORKERS", "65"),
        ("MILEPOST_WORKERS", "two"),
        ("MILEPOST_CONNECTIONS", "15"),
        ("MILEPOST_DATABASE_CONNECTIONS", "0"),
        ("MILEPOST_CONNECTIONS_PER_ADDRESS", "0"),
        ("MILEPOST_TRUSTED_PROXIES", "proxy.example"),
        ("MILEPOST_TRUSTED_PROXIES", "::1,10.0.0.1/8"),
        ("MILEPOST_PATH_PREFIX", "milepost"),
        ("MILEPOST_PATH_PREFIX", "/"),
        ("MILEPOST_PATH_PREFIX", "//milepost"),
        ("MILEPOST_PATH_PREFIX", "/a//b"),
        ("MILEPOST_PATH_PREFIX", "/a/../b"),
        ("MILEPOST_PATH_PREFIX", "/with space"),
        ("MILEPOST_PATH_PREFIX", "/mile%70ost"),
        ("MILEPOST_PATH_PREFIX", "/zürich"),
        ("MILEPOST_PATH_PREFIX", "https://m.example/milepost"),
        ("MILEPOST_PATH_PREFIX", "/api"),
        ("MILEPOST_PATH_PREFIX", "/jobs/milepost"),
        ("MILEPOST_CORS_ORIGINS", "*"),
        ("MILEPOST_CORS_ORIGINS", "null"),
        ("MILEPOST_CORS_ORIGINS", "app.example"),
        ("MILEPOST_CORS_ORIGINS", "https://*.app.example"),
        ("MILEPOST_CORS_ORIGINS", "https://app.example/"),
        ("MILEPOST_CORS_ORIGINS", "https://App.example"),
        ("MILEPOST_CORS_ORIGINS", "https://app.example:443"),
        ("MILEPOST_CORS_ORIGINS", "http://app.example:80"),
        ("MILEPOST_CORS_ORIGINS", "https://app.example:08443"),
        ("MILEPOST_CORS_ORIGINS", "https://app.example:65536"),
        ("MILEPOST_CORS_ORIGINS", "https://ada@app.example"),
        ("MILEPOST_CORS_ORIGINS", "https://zürich.example"),
        ("MILEPOST_CORS_ORIGINS", "https://app.example,file://"),
        ("MILEPOST_FRAME_ORIGINS", "app.example"),
        ("MILEPOST_FRAME_ORIGINS", "'self'"),
        ("MILEPOST_FRAME_ORIGINS", "https://app.example; script-src *"),
        ("CIPHER_KEY", "not base64!"),
        ("CIPHER_KEY", base64.b64encode(b"k" * 15).decode()),
        ("COMPRESSOR_TOPIC", "no_such_module"),
    ],
)
def test_a_value_that_cannot_be_used_stops_the_start_and_names_its_variable(
    name: str, value: str
) -> None:
    assert fault(**{name: value}).startswith(f"{name}:")


CONTROL = {"MILEPOST_GRIP_CONTROL_URI": "http://10.0.0.5:5561/"}


@pytest.mark.parametrize(
    ("given", "key"),
    [("sixteen characters", b"sixteen characters"), (f"base64:{KEY}", b"k" * 32)],
)
def test_the_key_of_pushpin_is_written_as_there(given: str, key: bytes) -> None:
    settings = from_environment({**CONTROL, "MILEPOST_GRIP_KEY": given})

    assert settings.grip_control_uris == ("http://10.0.0.5:5561",)
    assert settings.grip_key == key


@pytest.mark.parametrize("given", ["changeme", "base64:not base64!", "base64:a2V5"])
def test_a_key_of_pushpin_that_can_be_guessed_is_refused(given: str) -> None:
    said = fault(**CONTROL, MILEPOST_GRIP_KEY=given)

    assert said.startswith("MILEPOST_GRIP_KEY:")
    assert given not in said


@pytest.mark.parametrize(
    "uri",
    ["127.0.0.1:5561", "https://h:5561", "http://h", "http://h:x", "http://a:b@h:1", "tcp://h:1"],
)
def test_the_control_port_of_pushpin_is_an_address_of_http(uri: str) -> None:
    given = {"MILEPOST_GRIP_CONTROL_URI": uri, "MILEPOST_GRIP_KEY": "sixteen characters"}
    assert fault(**given).startswith("MILEPOST_GRIP_CONTROL_URI:")


def test_pushpin_needs_its_address_and_its_key() -> None:
    assert fault(**CONTROL).startswith("MILEPOST_GRIP_KEY:")
    assert fault(MILEPOST_GRIP_KEY="sixteen characters").startswith("MILEPOST_GRIP_CONTROL_URI:")


def test_a_publisher_is_counted_among_the_connections_to_the_database() -> None:
    alone = from_environment({})
    both = from_environment({**CONTROL, "MILEPOST_GRIP_KEY": "sixteen characters"})

    assert both.most_database_connections == alone.most_database_connections + 2
    assert both.of_parent().database_connections == alone.of_parent().database_connections + 1


def test_several_origins_are_separated_by_commas() -> None:
    settings = from_environment({"MILEPOST_CORS_ORIGINS": f"{APP}, http://localhost:3000"})

    assert settings.cors_origins == (APP, "http://localhost:3000")


def test_a_cipher_needs_its_key_and_must_be_there() -> None:
    assert fault(CIPHER_TOPIC=_AES).startswith("CIPHER_KEY:")
    assert fault(CIPHER_TOPIC="no_such_module:Cipher", CIPHER_KEY=KEY).startswith("CIPHER_TOPIC:")


def test_sqlite_takes_one_worker() -> None:
    said = fault(MILEPOST_WORKERS="2")

    assert said.startswith("MILEPOST_WORKERS:")
    assert "MILEPOST_DATABASE_URL" in said
    with pytest.raises(InvalidSetting):
        from_environment({}, workers=2)
    assert from_environment({"MILEPOST_DATABASE_URL": POSTGRES}, workers=2).workers == 2


def test_what_is_said_of_a_bad_secret_does_not_show_it() -> None:
    for name, value in (
        ("MILEPOST_CALLBACK_SECRET", "hunter2"),
        ("MILEPOST_CALLBACK_SECRET", f"{SECRET},hunter2"),
        ("MILEPOST_CALLBACK_SECRET", "whsec_hunter2!"),
        ("MILEPOST_ADMIN_TOKEN", "hunter2"),
        ("CIPHER_KEY", "hunter2"),
    ):
        assert "hunter2" not in fault(**{name: value})


# What may be shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://host/db", "postgresql://host/db"),
        ("postgresql://user@host:5433/db", "postgresql://user@host:5433/db"),
        ("postgresql://user:hunter2@host/db", "postgresql://user@host/db"),
        ("postgres://user:hunter2@host/db", "postgresql://user@host/db"),
        ("postgresql://user:p%40hunter2@h1:1,h2:2/db", "postgresql://user@h1:1,h2:2/db"),
        ("postgresql://user:hunter2#x@host/db", "postgresql://user@host/db"),
        ("postgresql://user:hunter2?x@host/db", "postgresql://user@host/db"),
        ("postgresql://host/db?user=user&password=hunter2", "postgresql://user@host/db"),
        (
            "postgresql://user:hunter2@/db?host=/run/postgresql",
            "postgresql://user@/db?host=/run/postgresql",
        ),
        ("sqlite:////srv/milepost.db", "sqlite:////srv/milepost.db"),
    ],
)
def test_a_database_is_shown_without_its_password(url: str, shown: str) -> None:
    assert from_environment({"MILEPOST_DATABASE_URL": url}).shown_database == shown


def test_what_is_kept_of_a_database_is_kept_by_a_lasting_name(
    tmp_path: Path,
) -> None:
    """It tells databases and schemas apart, and no password."""
    (tmp_path / "link").symlink_to(tmp_path)

    def name(url: str) -> str:
        return from_environment({"MILEPOST_DATABASE_URL": url}).lasting_database

    assert name(f"sqlite:///{tmp_path}/link/m.db") == name(f"sqlite:///{tmp_path}/m.db")
    assert name("postgresql://user:hunter2@host/db") == "postgresql://user@host/db"
    assert name("postgresql://host/db?options=-csearch_path%3Done") == (
        "postgresql://host/db options=-csearch_path=one"
    )
    assert name("postgresql://?service=one") != name("postgresql://?service=two")


@pytest.mark.parametrize("character", "/@")
def test_a_password_that_should_have_been_escaped_is_not_shown_either(character: str) -> None:
    """Such a URL means something else to the database; whoever wrote it wants to hear so."""
    said = fault(MILEPOST_DATABASE_URL=f"postgresql://user:hunter2{character}x@host/db")

    assert said.startswith("MILEPOST_DATABASE_URL:")
    assert "hunter2" not in said


def test_settings_can_be_printed_without_telling_secrets() -> None:
    settings = from_environment(
        {
            "MILEPOST_DATABASE_URL": "postgresql://user:hunter2@host/db",
            "MILEPOST_CALLBACK_SECRET": SECRET,
            "MILEPOST_ADMIN_TOKEN": TOKEN,
            "CIPHER_KEY": KEY,
            "MILEPOST_CHECKPOINT_KEY": SIGNER.secret(),
        }
    )

    for secret in ("hunter2", SECRET, TOKEN, KEY, SIGNER.secret()):
        assert secret not in repr(settings)


# Credentials that Milepost makes itself


def test_credentials_are_made_once_and_kept_for_this_user_alone(tmp_path: Path) -> None:
    configured = from_environment({"MILEPOST_HOME": str(tmp_path / "a" / "home")})

    first, made = with_credentials(configured)
    second, made_again = with_credentials(configured)

    assert made == {
        "callback secret": first.callback_secrets[0],
        "admin token": first.admin_token,
        "checkpoint key": str(first.signers[0].public),
    }
    assert made_again == {}
    assert second == first
    assert first.generated == (
        "callback secret",
        "admin token",
        "checkpoint key",
        "job key secret",
        "link secret",
    )
    assert first.link_secrets[0] not in (first.job_key_secrets[0], first.callback_secrets[0])
    assert first.job_key_secrets[0] not in (first.callback_secrets[0], first.admin_token)
    assert first.callback_secrets[0] != first.admin_token
    for name in (
        "callback-secret",
        "admin-token",
        "checkpoint-key",
        "job-key-secret",
        "link-secret",
    ):
        file = configured.home / name
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert len(file.read_text().strip()) >= 32
    assert stat.S_IMODE(configured.home.stat().st_mode) == 0o700


def made_in(home: Path) -> Settings:
    """Return the settings of a first start in this folder."""
    return with_credentials(from_environment({"MILEPOST_HOME": str(home)}))[0]


@pytest.mark.parametrize("name", ["callback-secret", "job-key-secret", "link-secret"])
def test_a_made_secret_is_rotated_by_a_line_before_it(tmp_path: Path, name: str) -> None:
    made_in(tmp_path)
    file = tmp_path / name
    old = file.read_text().strip()
    new = "a newer secret of more than thirty-two characters"
    file.write_text(f"{new}\n\n{old}\n", encoding="utf-8-sig")

    settings = made_in(tmp_path)

    assert (new, old) == getattr(settings, f"{name.replace('-', '_')}s")


@pytest.mark.parametrize("name", ["callback-secret", "job-key-secret", "link-secret"])
def test_a_comma_in_the_file_of_a_made_secret_is_refused(tmp_path: Path, name: str) -> None:
    """It would be taken for a part of one secret, where somebody means two."""
    made_in(tmp_path)
    file = tmp_path / name
    file.write_text(f"a newer secret of more than thirty-two characters,{file.read_text()}")

    with pytest.raises(InvalidSetting) as caught:
        made_in(tmp_path)

    assert str(caught.value).startswith(
        f"MILEPOST_HOME: {file} has a comma: several secrets must be on a line each "
        f"(MILEPOST_{name.replace('-', '_').upper()}_FILE names a file "
    )


@pytest.mark.parametrize("name", ["admin-token", "checkpoint-key"])
def test_a_file_that_has_one_credential_must_have_one_line(tmp_path: Path, name: str) -> None:
    made_in(tmp_path)
    file = tmp_path / name
    file.write_text(file.read_text() * 2)

    with pytest.raises(InvalidSetting, match=f"{name} has 2 lines; it must have one"):
        made_in(tmp_path)


def test_configured_credentials_are_not_made(tmp_path: Path) -> None:
    configured = from_environment(
        {
            "MILEPOST_HOME": str(tmp_path / "home"),
            "MILEPOST_CALLBACK_SECRET": SECRET,
            "MILEPOST_ADMIN_TOKEN": TOKEN,
            "MILEPOST_CHECKPOINT_KEY": SIGNER.secret(),
            "MILEPOST_JOB_KEY_SECRET": JOB_KEY_SECRET,
            "MILEPOST_LINK_SECRET": f"{JOB_KEY_SECRET}2",
        }
    )

    assert with_credentials(configured) == (configured, {})
    assert not configured.home.exists()


def test_only_what_is_missing_is_made(tmp_path: Path) -> None:
    configured = from_environment(
        {"MILEPOST_HOME": str(tmp_path), "MILEPOST_CALLBACK_SECRET": SECRET}
    )

    filled, made = with_credentials(configured)

    assert filled.callback_secrets == (SECRET,)
    assert tuple(made) == ("admin token", "checkpoint key")
    assert filled.generated == (*made, "job key secret", "link secret")


def test_no_shared_secret_is_made_where_none_is_taken(tmp_path: Path) -> None:
    configured = from_environment({"MILEPOST_HOME": str(tmp_path), "MILEPOST_SHARED_SECRET": "off"})

    filled, made = with_credentials(configured)

    assert filled.callback_secrets == ()
    assert "callback secret" not in made
    assert not (tmp_path / "callback-secret").exists()


def test_what_was_made_can_be_configured(tmp_path: Path) -> None:
    home = from_environment({"MILEPOST_HOME": str(tmp_path)})
    filled, _ = with_credentials(home)

    same = from_environment(
        {
            "MILEPOST_CALLBACK_SECRET_FILE": str(tmp_path / "callback-secret"),
            "MILEPOST_ADMIN_TOKEN_FILE": str(tmp_path / "admin-token"),
            "MILEPOST_CHECKPOINT_KEY_FILE": str(tmp_path / "checkpoint-key"),
            "MILEPOST_JOB_KEY_SECRET_FILE": str(tmp_path / "job-key-secret"),
            "MILEPOST_LINK_SECRET_FILE": str(tmp_path / "link-secret"),
        }
    )

    assert same.checkpoint_keys == filled.checkpoint_keys
    assert same.job_key_secrets == filled.job_key_secrets
    assert same.link_secrets == filled.link_secrets
    assert same.callback_secrets == filled.callback_secrets
    assert same.admin_token == filled.admin_token


def test_servers_that_start_together_make_one_set(tmp_path: Path) -> None:
    """Repeated, because what could go wrong goes wrong now and then."""
    together = Barrier(8)

    def start(home: Path) -> tuple[Settings, dict[str, str]]:
        together.wait()
        return with_credentials(from_environment({"MILEPOST_HOME": str(home)}))

    with ThreadPoolExecutor(8) as pool:
        for number in range(50):
            started = list(pool.map(start, [tmp_path / str(number)] * 8))

            assert len({settings.admin_token for settings, _ in started}) == 1
            assert len({settings.callback_secrets for settings, _ in started}) == 1
            assert len({settings.checkpoint_keys for settings, _ in started}) == 1
            makers = [name for _, made in started for name in made]
            assert sorted(makers) == ["admin token", "callback secret", "checkpoint key"]


def test_an_emptied_credential_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "admin-token").write_text("\n")
    (tmp_path / "admin-token").chmod(0o600)

    with pytest.raises(InvalidSetting, match="admin-token is empty"):
        with_credentials(from_environment({"MILEPOST_HOME": str(tmp_path)}))


def test_a_checkpoint_key_that_was_edited_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "checkpoint-key").write_text(SIGNER.secret()[:-8])
    (tmp_path / "checkpoint-key").chmod(0o600)

    configured = from_environment({"MILEPOST_HOME": str(tmp_path)})
    for fill in (with_credentials, with_stored_checkpoint_key):
        with pytest.raises(InvalidSetting, match=r"^MILEPOST_HOME: .*checkpoint-key: ") as caught:
            fill(configured)
        assert SIGNER.secret()[-40:-8] not in str(caught.value)


def test_a_kept_checkpoint_key_is_found_and_none_is_made(tmp_path: Path) -> None:
    """A key that a command made, in another home than the server's, would sign for another log."""
    configured = from_environment({"MILEPOST_HOME": str(tmp_path)})
    assert with_stored_checkpoint_key(configured) == configured
    assert list(tmp_path.iterdir()) == []

    made, _ = with_credentials(configured)

    assert with_stored_checkpoint_key(configured).checkpoint_keys == made.checkpoint_keys
    named = from_environment(
        {"MILEPOST_HOME": str(tmp_path), "MILEPOST_CHECKPOINT_KEY": SIGNER.secret()}
    )
    assert with_stored_checkpoint_key(named) == named


def test_while_keys_rotate_all_of_them_sign_and_are_trusted() -> None:
    new, elsewhere = PrivateKey.generate(SIGNER.name), PrivateKey.generate("elsewhere")
    settings = from_environment(
        {
            "MILEPOST_CHECKPOINT_KEY": f"{new.secret()}, {SIGNER.secret()}",
            "MILEPOST_CHECKPOINT_TRUSTED": str(elsewhere.public),
        }
    )

    assert [str(key.public) for key in settings.signers] == [str(new.public), str(SIGNER.public)]
    assert [str(key) for key in settings.trusted] == [
        str(new.public),
        str(SIGNER.public),
        str(elsewhere.public),
    ]


def test_checkpoint_keys_that_cannot_be_used_are_refused_without_being_shown() -> None:
    secret = SIGNER.secret()
    other = PrivateKey.generate("other.example").secret()
    for value in ("nonsense", str(SIGNER.public), secret[:-4], f"{secret},{other}"):
        said = fault(MILEPOST_CHECKPOINT_KEY=value)
        assert said.startswith("MILEPOST_CHECKPOINT_KEY: ")
        assert secret[-40:-4] not in said
    for value in ("nonsense", secret, str(SIGNER.public)[:-4]):
        said = fault(MILEPOST_CHECKPOINT_TRUSTED=value)
        assert said.startswith("MILEPOST_CHECKPOINT_TRUSTED: ")
        assert secret[-40:-4] not in said


def test_a_home_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    for home in (tmp_path / "file", tmp_path / "file" / "home"):
        settings = from_environment({"MILEPOST_HOME": str(home)})
        with pytest.raises(InvalidSetting, match=r"^MILEPOST_HOME: "):
            with_credentials(settings)
        with pytest.raises(InvalidSetting, match=r"^MILEPOST_HOME: "):
            make_home(settings)


def test_a_folder_for_the_database_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = from_environment(
        {
            "MILEPOST_HOME": str(tmp_path),
            "MILEPOST_DATABASE_URL": f"sqlite:///{tmp_path}/file/milepost.db",
        }
    )

    with pytest.raises(InvalidSetting, match=r"^MILEPOST_DATABASE_URL: "):
        make_home(settings)


def test_folders_are_made_for_this_user_alone(tmp_path: Path) -> None:
    settings = from_environment(
        {
            "MILEPOST_HOME": str(tmp_path / "home"),
            "MILEPOST_DATABASE_URL": f"sqlite:///{tmp_path}/data/milepost.db",
        }
    )

    make_home(settings)
    make_home(settings)

    for folder in ("home", "data"):
        assert stat.S_IMODE((tmp_path / folder).stat().st_mode) == 0o700


def test_reading_settings_writes_nothing(tmp_path: Path) -> None:
    from_environment({"MILEPOST_HOME": str(tmp_path / "home")})

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("MILEPOST_DATABSE_URL", "MILEPOST_DATABASE_URL"),
        ("MILEPOST_SIGNATURE", "MILEPOST_SIGNATURES"),
        ("MILEPOST_SHARED_SECRETS", "MILEPOST_SHARED_SECRET"),
        ("MILEPOST_ADMIN_TOKEN_FLIE", "MILEPOST_ADMIN_TOKEN_FILE"),
        ("MILEPOST_LOGFORMAT", "MILEPOST_LOG_FORMAT"),
        ("Milepost_Host", "MILEPOST_HOST"),
    ],
)
def test_a_variable_that_is_nearly_a_setting_is_named(name: str, meant: str) -> None:
    """Milepost would serve another database, or take signatures that the operator forbids."""
    [sentence] = from_environment({name: "off"}).doubts

    assert sentence == f"{name} is no setting, and has no effect; did you mean {meant}?"


@pytest.mark.parametrize(
    "name",
    [
        *("MILEPOST_TOKEN", "MILEPOST_CALLBACK_URL", "MILEPOST_CALLBACK_KEY_FILE"),
        *("MILEPOST_SERVICE_HOST", "MILEPOST_PORT_8000_TCP", "MILEPOST_TEST_DATABASE_URL"),
        *("MILEPOST_RELEASE", "MILESTONE_HOST", "HOST", "MILEPOST_", ""),
    ],
)
def test_variables_of_others_are_no_misspelt_settings(name: str) -> None:
    assert from_environment({name: "off"}).doubts == ()


def test_a_port_of_kubernetes_is_named_as_such() -> None:
    with pytest.raises(InvalidSetting, match="set enableServiceLinks to false"):
        from_environment({"MILEPOST_PORT": "tcp://10.0.0.1:8000"})


@pytest.mark.parametrize(
    ("query", "option"),
    [
        ("?schema=public", "schema"),
        ("?sslmode=require&pool_size=5", "pool_size"),
        ("?sslmod=require", "sslmod"),
        ("?sslmode", "sslmode"),
    ],
)
@pytest.mark.parametrize("place", ["postgresql://app:secret@db/mp", "postgres://db/mp"])
def test_an_option_that_libpq_lacks_is_named(place: str, query: str, option: str) -> None:
    """Other drivers have options of their own; the password was said to be at fault."""
    with pytest.raises(InvalidSetting, match=f"has no option '{option}'") as refused:
        from_environment({"MILEPOST_DATABASE_URL": place + query})

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app:12?secret=1",
        "postgresql://app:12?secret%",
        "postgresql://app:1@2?secret=1@db/mp",
    ],
)
def test_no_part_of_a_password_is_taken_for_an_option(url: str) -> None:
    with pytest.raises(InvalidSetting, match="percent-encode") as refused:
        from_environment({"MILEPOST_DATABASE_URL": url})

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("home", ["~/.milepost", "~", "~user/x", "$HOME/.milepost", "${HOME}"])
def test_what_only_a_shell_replaces_makes_no_folder_of_that_name(home: str) -> None:
    """In a `.env`, a unit or a Compose file, ~ is a character: a folder ~ would be made."""
    with pytest.raises(InvalidSetting, match="MILEPOST_HOME: only a shell replaces "):
        from_environment({"MILEPOST_HOME": home})
    with pytest.raises(InvalidSetting, match="MILEPOST_DATABASE_URL: only a shell replaces "):
        from_environment({"MILEPOST_DATABASE_URL": f"sqlite:///{home}/milepost.db"})


def test_a_folder_may_be_called_so_all_the_same(tmp_path: Path) -> None:
    assert from_environment({"MILEPOST_HOME": "./~"}).home == Path("~")
    assert from_environment({"MILEPOST_HOME": f"{tmp_path}/~"}).home == tmp_path / "~"


@pytest.mark.parametrize("quote", ["'", '"'])
@pytest.mark.parametrize("name", ["MILEPOST_ADMIN_TOKEN", "MILEPOST_CALLBACK_SECRET"])
def test_quotation_marks_that_no_shell_has_taken_off_are_named(
    tmp_path: Path, name: str, quote: str
) -> None:
    """Docker's --env-file keeps them: no token and no signature is right then, and nobody knew."""
    (tmp_path / "secret").write_text(f"{quote}{TOKEN}{quote}\n")

    [of_variable] = from_environment({name: f"{quote}{TOKEN}{quote}"}).doubts
    [of_file] = from_environment({f"{name}_FILE": str(tmp_path / "secret")}).doubts

    rule = ": the quotation marks around it count as a part of it; only a shell takes them off"
    assert of_variable == name + rule
    assert of_file == str(tmp_path / "secret") + rule
    assert from_environment({name: f"{TOKEN}{quote}"}).doubts == ()


def test_a_public_url_beyond_ascii_is_given_out_in_the_form_of_dns() -> None:
    """`milepost-report` and other clients take no other letters than those of ASCII in a URL."""
    settings = from_environment({"MILEPOST_PUBLIC_URL": "https://b\u00fccher.example:443/m/"})

    assert settings.public_url == "https://xn--bcher-kva.example/m"
    with pytest.raises(InvalidSetting, match="MILEPOST_PUBLIC_URL: must be a URL"):
        from_environment({"MILEPOST_PUBLIC_URL": f"https://{64 * chr(252)}.example"})


def test_a_public_url_never_becomes_that_of_another_host() -> None:
    """By the rules of 2003, \u00df is ss; browsers follow those of 2008."""
    with pytest.raises(InvalidSetting, match=r"must be a URL .*, or with its host as xn--"):
        from_environment({"MILEPOST_PUBLIC_URL": "https://stra\u00dfe.example"})
