"""Who may use which route: the expectation of the authorisation matrix, a line for each route."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

CALLBACK: Final = '{{"job_id": "{job}", "status": "provisioning"}}'
PAST: Final = ("", "?version=1", "?at=2026-03-02T12:00:00Z", "?from=1", "?version=99", "?version=x")
CHANGES: Final = ("?from=1", "?from=1&to=2", "?from=99", "?from=x", "?nothing=1")
ORDER: Final = '{{"reason": "asked for by the matrix"}}'
SEARCHES: Final = ("", "?q={job}", "?q={agent}", "?status=attention", "?user=x", "?cursor=p9")
PAGE: Final = ("", "?limit=1", "?kind=StatusReported", "?limit=x", "?nothing=1")


STREAMED: Final = frozenset({200, 501})
"""What a stream is answered with at the front, and behind Flask."""
PLACES: Final = ("", "?after=0", "?after=x", "?nothing=1")


class Line(NamedTuple):
    """What a route wants from its caller.

    `proof`: `none`, a `signature` by the shared secret, one by it or by the `key` of the job, or a
    token with this scope. `about`: what the path or the body
    names. A token that is bound to a user reaches only its user's `job` or `agent`, and nothing
    that is about `everything`; an answer about `nothing` names no job, or the caller's own jobs.
    """

    proof: Literal["none", "signature", "key", "read", "write"]
    about: Literal["nothing", "job", "agent", "everything"] = "nothing"
    statuses: frozenset[int] = frozenset({200})
    """What a caller gets who may ask, about a thing that it may see, with the first query."""
    body: str = ""
    """The body, and below the queries, with `{job}` and `{agent}` for the names."""
    queries: tuple[str, ...] = ("",)
    kind: Literal["answer", "page", "form"] = "answer"
    """A browser that has not signed in is sent from a page to do so. A form of a browser that has
    signed in needs a proof, which no caller of the matrix sends."""
    hidden: int = 404
    """What a caller gets who may ask, about a thing that it may not see."""


def order(body: str = ORDER) -> Line:
    """Return the line of an operator's command."""
    return Line("write", "job", frozenset({200, 409}), body)


def badge(about: Literal["job", "agent"]) -> Line:
    """Return the line of a badge: what is hidden has one, too, the same as what is not there.

    Without a label it has the name that it was asked with, and is as wide as that.
    """
    return Line("read", about, queries=("?label=", "?label=a&nothing=1"), hidden=200)


FORM: Final = Line("write", "job", frozenset({303, 409}), kind="form")
"""A form of a page, which gives an order."""

LINES: Final = {
    ("GET", "/"): Line("none", statuses=frozenset({302})),
    ("GET", "/favicon.ico"): Line("none", statuses=frozenset({204})),
    ("GET", "/livez"): Line("none"),
    ("GET", "/readyz"): Line("none"),
    ("GET", "/milepost-report"): Line("none"),
    ("GET", "/milepost-report.sha256"): Line("none"),
    ("GET", "/audit"): Line("none", statuses=frozenset({302})),
    ("GET", "/audit/<id:job_id>"): Line("none", "job", frozenset({302})),
    ("GET", "/jobs"): Line("read", queries=SEARCHES, kind="page"),
    ("GET", "/jobs/<id:job_id>"): Line(
        "read", "job", queries=(*PAST[:4], "?version=99", "?until=1"), kind="page"
    ),
    ("GET", "/embed/jobs/<id:job_id>"): Line("read", "job", kind="page"),
    ("GET", "/embed/agents/<id:agent_id>"): Line("read", "agent", kind="page"),
    ("GET", "/embed/streams/jobs/<id:job_id>"): Line("read", "job", STREAMED, queries=PLACES),
    ("GET", "/embed/streams/agents/<id:agent_id>"): Line("read", "agent", STREAMED, queries=PLACES),
    ("POST", "/jobs/<id:job_id>/fail"): FORM,
    ("POST", "/jobs/<id:job_id>/cancel"): FORM,
    ("POST", "/jobs/<id:job_id>/retry"): FORM,
    ("POST", "/jobs/<id:job_id>/stop"): FORM,
    ("POST", "/jobs/<id:job_id>/stopped"): FORM,
    ("GET", "/agents/<id:agent_id>"): Line("read", "agent", queries=("", "?cursor=x"), kind="page"),
    ("GET", "/static/<path:filename>"): Line("none"),
    ("GET", "/sign-in"): Line("none"),
    # With the field token of a form, not with the header.
    ("POST", "/sign-in"): Line("none", statuses=frozenset({401})),
    # Whose browser sends a cookie has to send the proof of the session, too.
    ("POST", "/sign-out"): Line("none", statuses=frozenset({303, 403})),
    ("GET", "/api/docs"): Line("none"),
    ("GET", "/api/docs/assets/<path:name>"): Line("none"),
    ("GET", "/api/openapi.json"): Line("none"),
    ("GET", "/metrics"): Line("read", "everything"),
    ("POST", "/api/webhooks/github"): Line("signature", "job", body=CALLBACK),
    ("POST", "/api/callbacks"): Line("signature", "job", body=CALLBACK),
    ("POST", "/api/callbacks/<id:job_id>"): Line("key", "job", body=CALLBACK),
    # An id of another user's is refused, too, and so told to be there: see docs/security.md.
    ("POST", "/api/jobs"): Line(
        "write", "nothing", frozenset({201, 409}), '{{"agent_id": "agent-new"}}'
    ),
    ("GET", "/api/jobs"): Line("read", queries=("", "?agent_id={agent}", "?attention=true")),
    ("GET", "/api/jobs/<id:job_id>"): Line("read", "job", queries=PAST),
    ("GET", "/api/jobs/<id:job_id>/changes"): Line("read", "job", queries=CHANGES),
    ("GET", "/api/jobs/<id:job_id>/timeline"): Line("read", "job", queries=("", "?nothing=1")),
    ("GET", "/api/jobs/<id:job_id>/events"): Line("read", "job", queries=PAGE),
    ("GET", "/api/jobs/<id:job_id>/stream"): Line("read", "job", STREAMED, queries=PLACES),
    ("GET", "/api/jobs/<id:job_id>/events/<int:version>/proof"): Line(
        "read", "job", queries=("", "?size=1", "?size=0", "?size=99")
    ),
    ("POST", "/api/jobs/<id:job_id>/fail"): order(),
    ("POST", "/api/jobs/<id:job_id>/cancel"): order(),
    ("POST", "/api/jobs/<id:job_id>/retry"): order(),
    ("POST", "/api/jobs/<id:job_id>/stop"): order("{{}}"),
    ("POST", "/api/jobs/<id:job_id>/stopped"): order(),
    ("POST", "/api/jobs/<id:job_id>/links"): Line("read", "job", frozenset({201}), "{{}}"),
    ("POST", "/api/agents/<id:agent_id>/links"): Line("read", "agent", frozenset({201}), "{{}}"),
    ("POST", "/api/workflows/<id:workflow>/links"): Line(
        "read", statuses=frozenset({201}), body="{{}}"
    ),
    ("GET", "/api/jobs/<id:job_id>/badge.svg"): badge("job"),
    ("GET", "/api/jobs/<id:job_id>/badge.json"): badge("job"),
    ("GET", "/api/agents/<id:agent_id>/badge.svg"): badge("agent"),
    ("GET", "/api/agents/<id:agent_id>/badge.json"): badge("agent"),
    ("GET", "/api/workflows/<id:workflow>/badge.svg"): Line("read"),
    ("GET", "/api/workflows/<id:workflow>/badge.json"): Line("read"),
    ("GET", "/api/events"): Line("read", queries=PAGE),
    ("GET", "/api/stream"): Line("read", "nothing", STREAMED, queries=PLACES),
    ("GET", "/api/agents/<id:agent_id>/stream"): Line("read", "agent", STREAMED, queries=PLACES),
    ("GET", "/api/checkpoint"): Line("read"),
    ("GET", "/api/checkpoint/extension"): Line("read", queries=("?first_size=1", "")),
    ("GET", "/api/agents/<id:agent_id>/instance"): Line("read", "agent", queries=PAST),
    ("GET", "/api/agents/<id:agent_id>/instance/changes"): Line("read", "agent", queries=CHANGES),
    ("DELETE", "/api/agents/<id:agent_id>/instance"): Line("write", "agent", frozenset({200, 400})),
}
"""By method and rule of the URL map."""
