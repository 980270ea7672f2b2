"""The web application over a store, spoken to as workflows, pages and people do."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from copy import copy
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import psycopg
from werkzeug.test import Client, TestResponse

from api import tokens
from api.app import create_app
from api.http.callers.proxies import Proxies
from api.http.cross_origin import CrossOrigin
from api.http.flask_side.app import App
from api.links import Links
from api.sessions.remembered import RememberedSessions
from api.settings.settings import Settings
from api.tokens import Scope
from api.tokens.remembered import RememberedTokens
from api.wiring import Services, senders_of
from domain.evidence.signing_keys import PrivateKey
from domain.job.events import Fact
from projections.reading.used_definitions import UsedDefinitions
from tests.support.projectors.at_once import AtOnce
from tests.support.projectors.watching import attentive
from tests.support.stores.deployment import Deployment, kind_of

SECRET = "correct horse battery staple"  # noqa: S105  of nothing
JOB_KEY_SECRET = "thirty-two or more random letters"  # noqa: S105  of nothing
LINK_SECRET = "another secret of thirty-two or more letters"  # noqa: S105  of nothing
ADMIN = "the-admin-token-of-the-tests"
SIGNER = PrivateKey.generate("milepost.example")
WEBHOOK, CALLBACKS = "/api/webhooks/github", "/api/callbacks"
MACHINE = {"server_id": "srv-1", "server_ip": "203.0.113.7", "tailscale_ip": "100.64.0.7"}


def sign(body: bytes, secret: str = SECRET) -> str:
    """Return the seed's signature of the body."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def like_jq(fields: Mapping[str, object]) -> bytes:
    """Write JSON as `jq -n` does: on several lines, with a newline at the end."""
    return json.dumps(fields, indent=2, ensure_ascii=False).encode() + b"\n"


class Site:
    """The web application over a deployment; the projector runs when told to."""

    def __init__(
        self,
        deployment: Deployment,
        secrets: Sequence[str] = (SECRET,),
        checkpoint_keys: Sequence[str] = (SIGNER.secret(),),
        **others: Any,
    ) -> None:
        self.deployment, self.clock = deployment, deployment.clock
        settings = Settings(
            home=Path("unused"),
            database_url="postgresql://" if kind_of(deployment) == "postgres" else "sqlite:///",
            callback_secrets=tuple(secrets),
            checkpoint_keys=tuple(checkpoint_keys),
            **{
                "admin_token": ADMIN,
                "job_key_secrets": (JOB_KEY_SECRET,),
                "link_secrets": (LINK_SECRET,),
                **others,
            },
        )
        self.services = Services(
            settings=settings,
            milepost=deployment.milepost,
            schema=deployment.kit.schema,
            read_model=deployment.read_model,
            shadow=deployment.shadow,
            reader=deployment.reader,
            history=deployment.history,
            tree=deployment.tree,
            inspection=deployment.kit.inspection,
            surroundings=deployment.kit.surroundings,
            tokens=RememberedTokens(deployment.kit.tokens, writer=AtOnce()),
            sessions=RememberedSessions(deployment.kit.sessions, writer=AtOnce()),
            links=Links(settings.link_secrets, settings.admin_token),
            senders=senders_of(settings, deployment.workflows),
            workflows=deployment.workflows,
            definitions=UsedDefinitions(deployment.read_model),
            clock=deployment.clock,
        )
        self.app = app_over(self.services)
        self.client: Client = self.app.test_client(use_cookies=False)

    @property
    def position(self) -> int:
        """The position of the newest event."""
        return self.deployment.read_model.log.newest_position()

    def callback(
        self,
        body: Mapping[str, object] | bytes,
        *,
        path: str = WEBHOOK,
        secret: str = SECRET,
        headers: Mapping[str, str] | None = None,
    ) -> TestResponse:
        """Post a signed callback."""
        raw = body if isinstance(body, bytes) else like_jq(body)
        return self.unsigned(raw, {"X-Signature": sign(raw, secret), **(headers or {})}, path)

    def unsigned(
        self, body: bytes, headers: Mapping[str, str] | None = None, path: str = WEBHOOK
    ) -> TestResponse:
        """Post a callback with these headers only."""
        return self.client.post(path, data=body, headers=dict(headers or {}))

    def report(self, job_id: str = "job-1", **fields: object) -> dict[str, Any]:
        """Post a callback that is taken, and return its receipt."""
        answer = self.callback({"job_id": job_id, **fields})
        assert answer.status_code == 200, answer.text
        return body_of(answer)

    def get(
        self, path: str, token: str = ADMIN, headers: Mapping[str, str] | None = None
    ) -> TestResponse:
        """Ask with a token."""
        return self.client.get(path, headers={**bearer(token), **(headers or {})})

    def read(self, path: str, token: str = ADMIN) -> dict[str, Any]:
        """Ask for something that is there, and return it."""
        answer = self.get(path, token)
        assert answer.status_code == 200, answer.text
        return body_of(answer)

    def stop(self, agent_id: str = "agent-1", token: str = ADMIN, **query: str) -> TestResponse:
        """Ask the agent's instance to stop."""
        asked = f"?{urlencode(query)}" if query else ""
        path = f"/api/agents/{agent_id}/instance{asked}"
        return self.client.delete(path, headers=bearer(token))

    def order(
        self, order: str, job_id: str = "job-1", token: str = ADMIN, **fields: str
    ) -> TestResponse:
        """Give an operator's command."""
        path = f"/api/jobs/{job_id}/{order}"
        return self.client.post(path, json=fields, headers=bearer(token))

    def ordered(self, order: str, job_id: str = "job-1", **fields: str) -> dict[str, Any]:
        """Give an operator's command that is followed, and return the job."""
        answer = self.order(order, job_id, **fields)
        assert answer.status_code == 200, answer.text
        return body_of(answer)

    def post_job(
        self, body: object, token: str = ADMIN, headers: Mapping[str, str] | None = None
    ) -> TestResponse:
        """Ask for a job to be registered."""
        return self.client.post(
            "/api/jobs", json=body, headers={**bearer(token), **(headers or {})}
        )

    def register(
        self,
        job_id: str = "job-1",
        agent_id: str = "agent-1",
        user_id: str = "user-1",
        *,
        token: str = ADMIN,
        **fields: str,
    ) -> dict[str, Any]:
        """Register a job and return it."""
        body = {"job_id": job_id, "agent_id": agent_id, "user_id": user_id, **fields}
        answer = self.post_job(body, token)
        assert answer.status_code == 201, answer.text
        return body_of(answer)

    def instance(self, agent_id: str = "agent-1", token: str = ADMIN) -> dict[str, Any]:
        """Return what a page reads of the agent."""
        return self.read(f"/api/agents/{agent_id}/instance", token)

    def job(self, job_id: str = "job-1", token: str = ADMIN) -> dict[str, Any]:
        """Return the job."""
        return self.read(f"/api/jobs/{job_id}", token)

    def facts(self, job_id: str = "job-1") -> list[Fact]:
        """Return what is stored about a job, in order."""
        milepost = self.deployment.milepost
        stored = milepost.store.history(job_id)
        return [milepost.mapper.read(row).fact for row in stored]

    def token(self, *scopes: Scope, user_id: str | None = None, name: str = "somebody") -> str:
        """Make a token and return its text."""
        return tokens.create(self.services.tokens, name, scopes, user_id, self.clock())[1]

    def sign_in(self, token: str = ADMIN, **headers: str) -> str:
        """Sign in as a browser does, and return the cookie that it sends from then on."""
        answer = self.client.post("/sign-in", data={"token": token}, headers=headers)
        assert answer.status_code == 303, answer.text
        return answer.headers["Set-Cookie"].partition(";")[0]

    def look(self, path: str, cookie: str, method: str = "GET", **headers: str) -> TestResponse:
        """Ask with a cookie."""
        return self.client.open(path, method=method, headers={"Cookie": cookie, **headers})

    def project(self) -> None:
        """Let the read model catch up."""
        self.deployment.projector.catch_up()

    def watch(self) -> None:
        """Let the read model catch up and the watchdog look."""
        self.project()
        attentive(self.deployment).step()


def app_over_nothing() -> App:
    """Return a new application without any service."""
    nothing: Any = SimpleNamespace(settings=Settings(home=Path("unused"), database_url=""))
    return create_app(nothing)


_shared_app = cache(app_over_nothing)


def app_over(services: Services, app: App | None = None) -> App:
    """Return the application over these services.

    A copy of one that is made once: generating the documentation takes longer than most tests.
    """
    made = copy(app or _shared_app())
    made.extensions = {**made.extensions, "milepost": services}
    settings = services.settings
    made.proxies = Proxies(settings.trusted_proxies, settings.path_prefix)
    made.cross_origin = CrossOrigin(settings.cors_origins)
    return made


def everything_in(site: Site) -> bytes:
    """Return the bytes of the database's files, or its tables of secrets' hashes as text."""
    env = site.deployment.env
    if kind_of(site.deployment) == "sqlite":
        database = Path(env["SQLITE_DBNAME"])
        return b"".join(path.read_bytes() for path in database.parent.glob(f"{database.name}*"))
    with psycopg.connect(env["DATABASE_URL"]) as connection:
        rows = [
            connection.execute(f"SELECT * FROM {table}").fetchall()
            for table in ("milepost_tokens", "milepost_sessions")
        ]
        return str(rows).encode()


def bearer(token: str) -> dict[str, str]:
    """Return the header that carries a token."""
    return {"Authorization": f"Bearer {token}"}


def body_of(answer: TestResponse) -> dict[str, Any]:
    """Return the JSON object of an answer."""
    found = json.loads(answer.data)
    assert isinstance(found, dict)
    return found


def problem_of(answer: TestResponse, status: int, slug: str | None = None) -> dict[str, Any]:
    """Return the problem document of an answer, once it is seen to be a clear one."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    found = body_of(answer)
    assert found["type"].startswith("urn:milepost:problem:")
    assert slug in (None, found["type"].removeprefix("urn:milepost:problem:")), found
    assert found["status"] == status
    assert isinstance(found["title"], str)
    assert found["title"]
    assert isinstance(found["detail"], str)
    assert found["detail"]
    assert "Traceback" not in answer.text
    assert 'File "' not in answer.text
    return found


def moment(text: str) -> datetime:
    """Return the time in an answer, which says its offset."""
    found = datetime.fromisoformat(text)
    assert found.tzinfo is not None
    return found.astimezone(UTC)


def delivery(site: Site, body: bytes, message_id: str, attempt: int = 0) -> dict[str, str]:
    """Sign as Standard Webhooks: the id stays the same over retries, the timestamp does not."""
    timestamp = str(int(site.clock().timestamp()) + attempt)
    message = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(SECRET.encode(), message, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
