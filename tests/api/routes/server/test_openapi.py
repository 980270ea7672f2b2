"""The OpenAPI document is valid, whole and true, and its page needs nobody else's server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

from api.http.callback_paths import CALLBACK_PATHS
from tests.support.web.site import ADMIN, MACHINE, SECRET, Site, bearer, body_of

PAGES = (
    "pages",
    "job",
    "agent",
    "embed",
    "embedded_streams",
    "orders",
    "sign_in",
    "reference_page",
    "docs",
    "api-docs",
    "reporter",
)
PARAMETER = re.compile(r"<\w+:(\w+)>")
SIGNATURES: list[dict[str, list[str]]] = [
    {"x-signature": []},
    {"x-hub-signature-256": []},
    {"standard-webhooks": []},
]
OPEN = {"/livez", "/readyz"}
LONG = {"position", "version", "after", "next_after", "tree_size", "first_size", "min_position"}
OPTIONAL = {
    "Receipt": {"warning"},
    "Problem": {"detail", "error", "errors", "possible"},
}
"""The members that an answer may lack."""
JOB, INSTANCE = "/api/jobs/{job_id}", "/api/agents/{agent_id}/instance"
LINKED: list[dict[str, list[str]]] = [{"bearer": []}, {"session": []}, {"link": []}]
OF_LINKS = {
    "/api/jobs/{job_id}",
    "/api/agents/{agent_id}/instance",
    *(f"/api/{about}/stream" for about in ("jobs/{job_id}", "agents/{agent_id}")),
    *(
        f"/api/{about}/badge.{kind}"
        for about in ("jobs/{job_id}", "agents/{agent_id}", "workflows/{workflow}")
        for kind in ("svg", "json")
    ),
}
"""The routes that the document calls open to links."""
OPERATIONS = {
    ("post", "/api/jobs/{job_id}/links"): "link_job",
    ("post", "/api/agents/{agent_id}/links"): "link_agent",
    ("post", "/api/workflows/{workflow}/links"): "link_workflow",
    ("post", "/api/webhooks/github"): "post_github_webhook",
    ("post", "/api/callbacks"): "post_callback",
    ("post", "/api/callbacks/{job_id}"): "post_job_callback",
    ("post", "/api/jobs"): "register_job",
    ("get", "/api/jobs"): "list_jobs",
    ("get", JOB): "get_job",
    ("get", f"{JOB}/changes"): "get_job_changes",
    ("get", f"{JOB}/timeline"): "get_job_timeline",
    ("get", f"{JOB}/events"): "list_job_events",
    ("get", f"{JOB}/stream"): "stream_job",
    ("get", "/api/agents/{agent_id}/stream"): "stream_instance",
    ("get", "/api/jobs/{job_id}/badge.svg"): "get_job_badge",
    ("get", "/api/jobs/{job_id}/badge.json"): "get_job_badge_endpoint",
    ("get", "/api/agents/{agent_id}/badge.svg"): "get_agent_badge",
    ("get", "/api/agents/{agent_id}/badge.json"): "get_agent_badge_endpoint",
    ("get", "/api/workflows/{workflow}/badge.svg"): "get_workflow_badge",
    ("get", "/api/workflows/{workflow}/badge.json"): "get_workflow_badge_endpoint",
    ("get", "/api/stream"): "stream_jobs",
    ("get", f"{JOB}/events/{{version}}/proof"): "prove_event",
    ("post", f"{JOB}/fail"): "fail_job",
    ("post", f"{JOB}/cancel"): "cancel_job",
    ("post", f"{JOB}/retry"): "retry_job",
    ("post", f"{JOB}/stop"): "stop_job",
    ("post", f"{JOB}/stopped"): "confirm_job_stopped",
    ("get", INSTANCE): "get_instance",
    ("get", f"{INSTANCE}/changes"): "get_instance_changes",
    ("delete", INSTANCE): "stop_instance",
    ("get", "/api/events"): "list_events",
    ("get", "/api/checkpoint"): "get_checkpoint",
    ("get", "/api/checkpoint/extension"): "prove_extension",
    ("get", "/livez"): "get_liveness",
    ("get", "/readyz"): "get_readiness",
    ("get", "/metrics"): "get_metrics",
}
"""These names never change: the code of others calls them."""


@pytest.fixture
def document(memory_site: Site) -> dict[str, Any]:
    """The document as it is served."""
    answer = memory_site.client.get("/api/openapi.json")
    assert answer.content_type == "application/json"
    return body_of(answer)


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the operations by method and path."""
    return {
        (method, path): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    }


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    validate(document)


def test_every_route_is_documented_and_no_other(
    memory_site: Site, document: dict[str, Any]
) -> None:
    routes = {
        (method.lower(), PARAMETER.sub(r"{\1}", rule.rule))
        for rule in memory_site.app.url_map.iter_rules()
        if rule.endpoint.split(".")[0] not in PAGES
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }

    assert operations(document).keys() == routes


def test_operations_keep_the_names_by_which_generated_clients_call_them(
    document: dict[str, Any],
) -> None:
    named = {name: operation["operationId"] for name, operation in operations(document).items()}

    assert named == OPERATIONS


def schemas_in(part: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of the document, and so every schema."""
    if isinstance(part, dict):
        yield part
    for each in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from schemas_in(each)


@pytest.mark.parametrize(
    ("path", "method", "names"),
    [
        ("/api/agents/{agent_id}/instance", "delete", {"If-Match", "reason"}),
        ("/api/jobs/{job_id}", "get", {"If-None-Match", "Prefer", "version", "at"}),
        ("/api/jobs/{job_id}/fail", "post", {"If-Match"}),
        ("/api/jobs", "post", {"Idempotency-Key"}),
    ],
)
def test_headers_take_the_place_of_no_other_parameter(
    document: dict[str, Any], path: str, method: str, names: set[str]
) -> None:
    parameters = document["paths"][path][method]["parameters"]
    assert {each["name"] for each in parameters} == names


def test_every_url_for_callbacks_may_refuse_a_named_sender(document: dict[str, Any]) -> None:
    for path in (*CALLBACK_PATHS, "/api/callbacks/{job_id}"):
        assert "403" in document["paths"][path]["post"]["responses"]


def test_no_answer_is_one_of_several_shapes(document: dict[str, Any]) -> None:
    for schema in schemas_in(document):
        assert "oneOf" not in schema
        assert all(each == {"type": "null"} for each in schema.get("anyOf", [])[1:]), schema


def test_answers_name_what_is_always_there_and_leave_room_for_more(
    document: dict[str, Any],
) -> None:
    answered = {
        found["schema"]["$ref"].rpartition("/")[2]
        for operation in operations(document).values()
        for response in operation["responses"].values()
        for found in response.get("content", {}).values()
        if "$ref" in found["schema"]
    }
    schemas = document["components"]["schemas"]

    assert len(answered) > 10
    for name in answered:
        for schema in schemas_in(schemas[name]):
            assert schema.get("additionalProperties") is not False, name
        optional = schemas[name]["properties"].keys() - set(schemas[name]["required"])
        assert optional == OPTIONAL.get(name, set()), name


def test_every_position_and_version_has_64_bits(document: dict[str, Any]) -> None:
    described = [
        (name, found)
        for schema in schemas_in(document)
        for name, found in schema.get("properties", {}).items()
        if name in LONG and found  # a change has `after` of any kind
    ]
    asked = [
        (each["name"], each["schema"])
        for operation in operations(document).values()
        for each in operation.get("parameters", [])
        if each["name"] in LONG
    ]

    assert len(described) > 10
    assert len(asked) > 5
    assert all(found["format"] == "int64" for _, found in [*described, *asked])


def test_every_operation_says_what_it_does(document: dict[str, Any]) -> None:
    assert all(operation.get("summary") for operation in operations(document).values())


def test_every_operation_says_how_to_prove_who_asks(document: dict[str, Any]) -> None:
    for (method, path), operation in operations(document).items():
        if path in OPEN:
            assert "security" not in operation
        elif path.startswith(("/api/callbacks", "/api/webhooks/github")):
            assert operation["security"] == SIGNATURES
        elif method != "get":
            assert operation["security"] == [{"bearer": []}], (method, path)
        else:
            proofs = LINKED if path in OF_LINKS else LINKED[:2]
            assert operation["security"] == proofs, (method, path)
    assert document["components"]["securitySchemes"].keys() == {
        "bearer",
        "session",
        "link",
        *(scheme for each in SIGNATURES for scheme in each),
    }


def test_what_wants_proof_says_how_it_refuses(document: dict[str, Any]) -> None:
    for (method, path), operation in operations(document).items():
        if operation.get("security"):
            assert "401" in operation["responses"], (method, path)
        if {"bearer": []} in operation.get("security", ()):
            assert "403" in operation["responses"], (method, path)


def test_every_error_is_documented_as_a_problem(document: dict[str, Any]) -> None:
    for (method, path), operation in operations(document).items():
        for status, response in operation["responses"].items():
            if status >= "400":
                content = response.get("content", {})
                assert list(content) == ["application/problem+json"], (method, path, status)
                reference = content["application/problem+json"]["schema"]["$ref"]
                assert reference == "#/components/schemas/Problem"


def test_nothing_in_the_document_is_secret(document: dict[str, Any]) -> None:
    assert SECRET not in str(document)
    assert ADMIN not in str(document)


def test_answers_are_as_documented(memory_site: Site, document: dict[str, Any]) -> None:
    memory_site.register()
    memory_site.report(status="provisioning", step="vm_created")
    memory_site.clock.advance(200)
    memory_site.report(status="failed", error="exit 1", **MACHINE)
    memory_site.report(status="provisioning")
    memory_site.report("unregistered", status="running", **MACHINE)
    memory_site.project()
    receipt = memory_site.report(type="heartbeat")

    for schema, answer in (
        ("Receipt", receipt),
        ("Registered", memory_site.register("job-2", "agent-2", "user-2")),
        ("Job", memory_site.job()),
        ("Job", memory_site.job("unregistered")),
        ("JobList", memory_site.read("/api/jobs")),
        ("Instance", memory_site.instance()),
        ("Timeline", memory_site.read("/api/jobs/job-1/timeline")),
        ("EventPage", memory_site.read("/api/jobs/job-1/events")),
        ("EventPage", memory_site.read("/api/events")),
        ("Difference", memory_site.read("/api/jobs/job-1?from=1&to=3")),
        ("Difference", memory_site.read("/api/jobs/job-1/changes?from=1&to=3")),
        ("Difference", memory_site.read("/api/agents/agent-1/instance/changes?from=1")),
        ("JobList", memory_site.read("/api/jobs?attention=true")),
        ("Liveness", memory_site.read("/livez")),
        ("Readiness", memory_site.read("/readyz")),
        ("Problem", body_of(memory_site.get("/api/jobs/nobody"))),
        ("Problem", body_of(memory_site.callback({"job_id": [1], "status": "failed"}))),
    ):
        described = {
            "$ref": f"#/components/schemas/{schema}",
            "components": document["components"],
        }
        OAS31Validator(described).validate(answer)
        documented = document["components"]["schemas"][schema]["properties"]
        assert answer.keys() <= documented.keys()


def test_the_documented_example_is_taken(memory_site: Site, document: dict[str, Any]) -> None:
    content = document["paths"]["/api/callbacks"]["post"]["requestBody"]["content"]

    answer = memory_site.callback(content["application/json"]["example"])

    assert answer.status_code == 200


def test_the_page_uses_its_own_assets_only(memory_site: Site) -> None:
    page = memory_site.client.get("/api/docs")
    assert page.status_code == 200

    references = re.findall(r"""(?:src|href|document)="([^"]+)\"""", page.text)
    references.remove("data:,")  # no icon
    references.remove("/jobs")  # the way back

    assert len(references) == 5
    assert "http" not in "".join(references)
    assert not any(reference.startswith("//") for reference in references)
    for reference in references:
        answer = memory_site.client.get(reference)
        assert answer.status_code == 200, reference
        answer.close()


def test_the_page_says_what_it_is_for_without_scripts(memory_site: Site) -> None:
    text = memory_site.client.get("/api/docs").text

    said = text.split("<noscript>")[1].split("</noscript>")[0]
    assert "<h1>Milepost's HTTP API</h1>" in said
    assert 'href="/api/openapi.json"' in said


def test_only_assets_are_served_as_assets(memory_site: Site) -> None:
    for name in ("../__init__.py", "..%2f__init__.py", "/etc/passwd", "nothing.js"):
        assert memory_site.client.get(f"/api/docs/assets/{name}").status_code == 404


def test_the_document_needs_no_token_but_what_it_describes_does(memory_site: Site) -> None:
    assert memory_site.client.get("/api/openapi.json").status_code == 200
    assert memory_site.client.get("/api/jobs").status_code == 401
    assert memory_site.client.get("/api/jobs", headers=bearer(ADMIN)).status_code == 200
