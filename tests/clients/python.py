"""The Python client that openapi-python-client generates from the document."""

from __future__ import annotations

import hashlib
import hmac
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

PROGRAM = Path(sys.executable).with_name("openapi-python-client")


def generate(document: Path, folder: Path) -> Path:
    """Generate a client of the document in a new package of the folder; return the package."""
    settings, package = folder / "settings.yml", folder / "milepost_client"
    # The hooks would format the code, for nobody to read. A type that the generator does not know
    # is text to it by this setting only.
    settings.write_text("post_hooks: []\ncontent_type_overrides:\n  image/svg+xml: text/plain\n")
    done = subprocess.run(
        [
            *(PROGRAM, "generate", "--path", document, "--output-path", package),
            *("--meta", "none", "--config", settings, "--fail-on-warning"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return package


class Signed(httpx.Auth):
    """Signs the bytes that are sent, as the generated client cannot."""

    requires_request_body = True

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        """Add the signature of the body."""
        signature = hmac.new(self._secret, request.content, hashlib.sha256).hexdigest()
        request.headers["X-Signature"] = signature
        yield request


class Client:
    """Calls operations by their names, and remembers which it called."""

    def __init__(self, package: Path, url: str, token: str, secret: str) -> None:
        self._package = package
        generated = importlib.import_module(f"{package.name}.client")
        self._bearer = generated.AuthenticatedClient(
            base_url=url, token=token, raise_on_unexpected_status=True
        )
        self._signing = generated.Client(
            base_url=url, httpx_args={"auth": Signed(secret)}, raise_on_unexpected_status=True
        )
        self.models: Any = importlib.import_module(f"{package.name}.models")
        self.called: set[str] = set()

    def close(self) -> None:
        """Close the connections."""
        for each in (self._bearer, self._signing):
            each.get_httpx_client().close()

    def operations(self) -> set[str]:
        """Return the names of all operations."""
        return {path.stem for path in self._package.glob("api/*/*.py")} - {"__init__"}

    def ask(self, operation: str, *path: object, **arguments: Any) -> Any:
        """Call an operation; return its answer with status, headers and what was made of it."""
        [module] = self._package.glob(f"api/*/{operation}.py")
        name = f"{self._package.name}.api.{module.parent.name}.{operation}"
        client = self._signing if module.parent.name == "callbacks" else self._bearer
        answer = importlib.import_module(name).sync_detailed(*path, client=client, **arguments)
        self.called.add(operation)
        return answer

    def call(self, operation: str, *path: object, **arguments: Any) -> Any:
        """Call an operation that succeeds; return what the client makes of its answer."""
        answer = self.ask(operation, *path, **arguments)
        assert answer.status_code < 300, (operation, answer.content)
        return answer.parsed
