"""The image's steps, as far as they can be run without an engine for containers."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml

from api.settings.config import from_environment
from tests.support.processes.installation import build_wheel
from tests.support.processes.server import Make, free_port

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"


def steps() -> list[tuple[str, str]]:
    """Return the steps of the Dockerfile: the instruction, and what follows it."""
    lines = DOCKERFILE.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    given = [line for line in lines if line and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in given]


def copied() -> list[str]:
    """Return the files and folders of the checkout that the first stage copies."""
    return [
        source
        for name, rest in steps()
        if name == "COPY" and not rest.startswith("--from")
        for source in shlex.split(rest)[:-1]
    ]


def test_what_the_image_copies_is_all_that_the_wheel_needs(wheel: Path, tmp_path: Path) -> None:
    context = tmp_path / "context"
    context.mkdir()
    for name in copied():
        subprocess.run(["cp", "-r", str(ROOT / name), str(context / name)], check=True)  # noqa: S607

    built = build_wheel(context, tmp_path)

    def modules(of: Path) -> set[str]:
        return {name for name in ZipFile(of).namelist() if "__pycache__" not in name}

    assert modules(built) == modules(wheel)


def test_the_context_has_what_is_copied_and_nothing_else() -> None:
    ignored = (ROOT / "deploy" / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()

    assert ignored[0] == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} == set(copied())


def test_the_image_runs_as_a_number_that_is_not_root_behind_an_init() -> None:
    last = dict(steps())

    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", last["USER"])
    assert json.loads(last["ENTRYPOINT"]) == ["/usr/bin/tini", "--", "milepost"]
    assert json.loads(last["CMD"]) == ["serve"]


def test_the_variables_of_the_image_are_settings() -> None:
    last = dict(steps())
    variables = dict(pair.split("=", 1) for pair in shlex.split(last["ENV"]))
    ours = {name: value for name, value in variables.items() if name.startswith("MILEPOST_")}

    settings = from_environment(ours)

    assert str(settings.home) == last["VOLUME"] == last["WORKDIR"]
    assert (settings.host, settings.log_format) == ("0.0.0.0", "json")  # noqa: S104
    assert str(settings.port) == last["EXPOSE"]


def test_the_health_check_tells_a_server_from_none(make_server: Make) -> None:
    command = json.loads(dict(steps())["HEALTHCHECK"].partition("CMD ")[2])
    server, nobody = make_server(), free_port()

    def is_healthy() -> bool:
        check = [sys.executable, *command[1:]]
        # Docker gives the proxy of its own settings to every container.
        env = {"MILEPOST_PORT": str(server.port), "http_proxy": f"http://127.0.0.1:{nobody}"}
        return subprocess.run(check, env=env, capture_output=True, check=False).returncode == 0

    assert not is_healthy()
    server.start()
    assert is_healthy()


@pytest.fixture
def compose() -> dict[str, dict[str, dict[str, object]]]:
    """The compose file."""
    text = (ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8")
    parsed: dict[str, dict[str, dict[str, object]]] = yaml.safe_load(text)
    return parsed


def test_compose_starts_milepost_once_postgresql_is_healthy(
    compose: dict[str, dict[str, dict[str, object]]],
) -> None:
    services = compose["services"]

    assert services["milepost"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert "healthcheck" in services["database"]


def test_compose_gives_secrets_as_files_alone(
    compose: dict[str, dict[str, dict[str, object]]],
) -> None:
    for service in compose["services"].values():
        given, secrets = service["environment"], service["secrets"]
        assert isinstance(given, dict)
        assert isinstance(secrets, list)
        files = {value for name, value in given.items() if name.endswith("_FILE")}
        assert files == {f"/run/secrets/{name}" for name in secrets}
        assert not [name for name in given if "SECRET" in name and not name.endswith("_FILE")]
        assert set(secrets) <= compose["secrets"].keys()
