"""Conditional requests: a strong tag that changes whenever the answer does."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import msgspec
import pytest
from werkzeug.test import EnvironBuilder, TestResponse

from api.recent_bodies import RecentBodies
from domain.workflows.definition import Deadlines, Workflows
from domain.workflows.files import SHIPPED, load
from projections.folding.rows import instance_row
from projections.read_model.rows import Changes
from projections.views.instance import Instance
from projections.views.view import Views
from tests.support.stores.deployment import Clock, Deployment
from tests.support.web.site import ADMIN, MACHINE, Site, app_over, bearer, problem_of

INSTANCE, JOB, TIMELINE = (
    "/api/agents/agent-1/instance",
    "/api/jobs/job-1",
    "/api/jobs/job-1/timeline",
)
PATHS = pytest.mark.parametrize("path", [INSTANCE, JOB, TIMELINE])
EVERYTHING: list[dict[str, str]] = [
    {"status": "provisioning"},
    {"type": "heartbeat"},
    {"status": "provisioning", "step": "vm_created"},
    {"status": "provisioning", "step": "coffee_made"},
    {"status": "failed", "error": "exit 1"},
    {"status": "provisioning"},
    {"status": "running", **MACHINE},
    {"type": "heartbeat"},
]


class NotForUse(Workflows):
    """Definitions that nothing may be made from."""

    def recorded(self, ref: str | None) -> NoReturn:
        raise AssertionError

    def ranks(self, ref: str | None) -> NoReturn:
        raise AssertionError


def tag(site: Site, path: str) -> str:
    return site.get(path).headers["ETag"]


def status(site: Site, path: str, condition: str) -> int:
    return site.get(path, headers={"If-None-Match": condition}).status_code


@PATHS
def test_a_read_has_a_strong_tag_and_asks_caches_to_check(site: Site, path: str) -> None:
    site.register()

    answer = site.get(path)

    assert answer.headers["ETag"].startswith('"')
    assert answer.headers["ETag"].endswith('"')
    assert answer.headers["Cache-Control"] == "private, no-cache"


@PATHS
def test_what_the_client_has_already_is_304_without_a_body(site: Site, path: str) -> None:
    site.register()
    known = tag(site, path)

    answer = site.get(path, headers={"If-None-Match": known})

    assert (answer.status_code, answer.data) == (304, b"")
    assert answer.headers["ETag"] == known
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert "Content-Type" not in answer.headers


@PATHS
@pytest.mark.parametrize("folded", [True, False])
def test_a_304_is_answered_before_anything_is_made_of_the_job(
    site: Site, path: str, folded: bool
) -> None:
    site.register()
    site.report(status="provisioning", step="vm_created")
    if folded:
        site.project()
    known = tag(site, path)
    definitions = NotForUse(site.services.workflows, site.services.workflows.default.ref)
    unsent = msgspec.structs.replace(site.services, workflows=definitions, bodies=RecentBodies())
    client = app_over(unsent).test_client()

    answer = client.get(path, headers={**bearer(ADMIN), "If-None-Match": known})

    assert answer.status_code == 304
    assert client.get(path, headers=bearer(ADMIN)).status_code == 500


@pytest.mark.parametrize("path", [INSTANCE, JOB])
def test_a_body_that_was_sent_before_is_not_made_again(site: Site, path: str) -> None:
    site.register()
    site.report(status="provisioning", step="vm_created")
    sent = site.get(path)
    definitions = NotForUse(site.services.workflows, site.services.workflows.default.ref)
    services = msgspec.structs.replace(site.services, workflows=definitions)

    again = app_over(services).test_client().get(path, headers=bearer(ADMIN))

    assert (again.status_code, again.data) == (200, sent.data)
    assert again.headers["ETag"] == sent.headers["ETag"]


@pytest.mark.parametrize("path", [INSTANCE, JOB])
def test_another_event_at_the_position_of_a_lost_one_has_a_body_of_its_own(
    memory_site: Site, memory: Deployment, path: str
) -> None:
    """A failover to a standby that was behind loses the end of the log."""
    memory_site.register()
    memory_site.report(status="provisioning", step="vm_created")
    lost = memory_site.get(path)
    other = Site(Deployment(memory.env, memory.workflows, Clock()))
    other.register()
    other.clock.advance(1)
    other.report(status="provisioning", step="config_done")
    services = msgspec.structs.replace(other.services, bodies=memory_site.services.bodies)

    kept = app_over(services).test_client().get(path, headers=bearer(ADMIN))
    other.deployment.close()

    assert kept.headers["ETag"] == lost.headers["ETag"]
    assert b"vm_created" in lost.data
    assert b"config_done" in kept.data


@pytest.mark.parametrize("path", [INSTANCE, JOB])
def test_a_row_that_is_mended_without_an_event_has_another_body_at_once(
    site: Site, path: str
) -> None:
    """A rebuild does so, and a later release that understands an event."""
    site.register()
    site.report(status="provisioning", step="vm_created")
    site.project()
    right = site.services.reader.instance("job-1")
    assert right
    wrong = msgspec.structs.replace(right, region="nowhere")
    write(site, wrong)
    before = site.get(path)

    write(site, right)
    after = site.get(path)

    assert b"nowhere" in before.data
    assert after.headers["ETag"] == before.headers["ETag"]
    assert b"nowhere" not in after.data


def write(site: Site, instance: Instance) -> None:
    position = site.services.read_model.position()
    row = instance_row(instance, Views(), site.services.workflows)
    site.services.read_model.apply(Changes(position, position, [row]))


@pytest.mark.parametrize("path", [INSTANCE, JOB])
@pytest.mark.parametrize(
    ("deadlines", "step_seconds", "heartbeat_after", "before", "after"),
    [
        pytest.param(Deadlines(heartbeat_seconds=1000), None, 0, 666.1, 666.9, id="unresponsive"),
        pytest.param(Deadlines(), 300, 100.5, 299.6, 300.4, id="past the step's deadline"),
    ],
)
def test_a_deadline_between_two_whole_seconds_changes_tag_and_body(
    memory: Deployment,
    path: str,
    deadlines: Deadlines,
    step_seconds: int | None,
    heartbeat_after: float,
    before: float,
    after: float,
) -> None:
    workflow = memory.workflows.default
    steps = tuple(
        msgspec.structs.replace(step, deadline_seconds=step_seconds) for step in workflow.steps
    )
    workflow = msgspec.structs.replace(workflow, deadlines=deadlines, steps=steps)
    made = Deployment(memory.env, Workflows([workflow], workflow.ref), Clock())
    site = Site(made)
    site.register()
    site.report(status="provisioning", step="vm_created")
    began = site.clock.now
    site.clock.advance(heartbeat_after)
    site.report(type="heartbeat")

    answers = []
    for seconds in (before, after):
        site.clock.now = began + timedelta(seconds=seconds)
        answers.append(site.get(path))
    made.close()

    bodies = [answer.json for answer in answers]
    assert bodies[0]
    assert bodies[1]
    assert answers[0].headers["ETag"] != answers[1].headers["ETag"]
    assert bodies[0]["health"] != bodies[1]["health"]


@PATHS
def test_a_304_goes_in_one_piece(memory_site: Site, path: str) -> None:
    """Of what is no list, the server asks for the next piece, and threads change places."""
    memory_site.register()
    headers = {**bearer(ADMIN), "If-None-Match": tag(memory_site, path)}
    environ = EnvironBuilder(path, headers=[*headers.items()]).get_environ()

    assert memory_site.app(environ, lambda *_: print) == [b""]


@PATHS
def test_the_tag_stays_while_nothing_happens(site: Site, path: str) -> None:
    site.register()
    site.report(status="provisioning", step="vm_created")
    before = tag(site, path)

    site.clock.advance(149)
    site.register("job-2", "agent-2", "user-2")
    site.report("job-2", status="provisioning")
    assert tag(site, path) == before
    site.project()

    assert tag(site, path) == before


@pytest.mark.parametrize("path", [INSTANCE, JOB])
@pytest.mark.parametrize(("reports", "calm"), [([], 600), ([{"type": "heartbeat"}], 150)])
def test_the_tag_changes_with_the_health_of_a_job_that_says_nothing(
    site: Site, path: str, reports: list[dict[str, str]], calm: float
) -> None:
    site.register()
    for report in reports:
        site.report(**report)
    before = tag(site, path), site.read(path)["health"]

    site.clock.advance(calm - 1)
    assert (tag(site, path), site.read(path)["health"]) == before
    tags = set()
    for _ in range(3):
        site.clock.advance(10)
        assert site.read(path)["health"]["state"] == "late"
        tags.add(tag(site, path))

    assert len(tags | {before[0]}) == 4


@PATHS
def test_the_tag_changes_with_every_event(site: Site, path: str) -> None:
    site.register()
    tags = [tag(site, path)]

    for fields in EVERYTHING:
        site.report(**fields)
        tags.append(tag(site, path))
    site.stop()
    tags.append(tag(site, path))

    assert len(set(tags)) == len(tags)


def test_a_running_instances_tag_changes_with_its_uptime(site: Site) -> None:
    site.register()
    site.report(status="running", **MACHINE)
    known = tag(site, INSTANCE)

    site.clock.advance(0.9)
    assert status(site, INSTANCE, known) == 304

    site.clock.advance(0.1)
    answer = site.get(INSTANCE, headers={"If-None-Match": known})
    assert answer.status_code == 200
    assert answer.json
    assert answer.json["uptime"] == 1
    assert answer.headers["ETag"] != known
    assert status(site, JOB, tag(site, JOB)) == 304


def test_an_agents_new_job_of_the_same_version_has_another_tag(site: Site) -> None:
    site.register("job-1")
    known = tag(site, INSTANCE)
    site.report("job-1", status="failed")

    site.register("job-2")

    answer = site.get(INSTANCE, headers={"If-None-Match": known})
    assert answer.status_code == 200
    assert answer.json
    assert answer.json["instance"]["id"] == "job-2"
    assert site.job("job-2")["version"] == 1


def test_a_relabelled_step_changes_the_tag(tmp_path: Path, clock: Clock) -> None:
    definition = (SHIPPED / "vm.toml").read_text()
    tags = []
    for label in ("Queued", "Waiting"):
        folder = tmp_path / label
        folder.mkdir()
        text = definition.replace('name = "vm"', 'name = "mine"').replace('"Queued"', f'"{label}"')
        (folder / "mine.toml").write_text(text)
        deployment = Deployment({"PERSISTENCE_MODULE": "domain.log.memory"}, load(folder), clock)
        site = Site(deployment)
        site.register()
        assert site.instance()["steps"][0]["label"] == label
        tags.append(tag(site, INSTANCE))
        deployment.close()

    assert len(set(tags)) == 2


@PATHS
def test_one_tag_of_a_list_is_enough(memory_site: Site, path: str) -> None:
    memory_site.register()
    known = tag(memory_site, path)

    assert status(memory_site, path, f'"other", {known}, "third"') == 304
    assert status(memory_site, path, '"other", "third"') == 200
    assert status(memory_site, path, "*") == 304
    assert status(memory_site, path, "") == 200
    assert status(memory_site, path, known.strip('"') + "x") == 200


@PATHS
def test_in_a_longer_condition_than_any_clients_no_tag_is_looked_for(
    memory_site: Site, path: str
) -> None:
    """The event loop would read 60 KiB of tags for everybody who has a token or a link."""
    memory_site.register()
    known, others = tag(memory_site, path), '"other", ' * 1_000

    assert status(memory_site, path, f"{others}{known}") == 200
    refused = given(memory_site, "fail", f"{others}{known}")
    problem_of(refused, 412, "precondition-failed")


@PATHS
def test_a_tag_that_a_proxy_made_weak_is_still_known(memory_site: Site, path: str) -> None:
    """RFC 9110, 13.1.2: If-None-Match compares weakly; nginx weakens what it compresses."""
    memory_site.register()

    assert status(memory_site, path, f"W/{tag(memory_site, path)}") == 304


def test_a_tag_that_was_true_once_is_not_known(memory_site: Site) -> None:
    memory_site.register()
    old = tag(memory_site, JOB)
    memory_site.report(status="provisioning")

    assert status(memory_site, JOB, old) == 200


def test_what_is_not_there_has_no_tag(memory_site: Site) -> None:
    answer = memory_site.get("/api/jobs/nobody", headers={"If-None-Match": "*"})

    problem_of(answer, 404)
    assert "ETag" not in answer.headers


def test_a_read_and_its_condition_are_the_same_before_and_after_projecting(site: Site) -> None:
    site.register()
    site.report(status="running", **MACHINE)
    known = {path: tag(site, path) for path in (INSTANCE, JOB, TIMELINE)}

    site.project()

    assert {path: status(site, path, value) for path, value in known.items()} == dict.fromkeys(
        known, 304
    )


# Commands that are bound to what was read


def given(site: Site, what: str, condition: str) -> TestResponse:
    """Give a command under a condition."""
    headers = {**bearer(ADMIN), "If-Match": condition}
    if what == "DELETE":
        return site.client.delete(INSTANCE, headers=headers)
    return site.client.post(f"{JOB}/{what}", json={}, headers=headers)


COMMANDS = {"DELETE": True, "stop": True, "stopped": True, "fail": False, "cancel": False}
"""The commands, and whether the job must run for them."""


@pytest.mark.parametrize("what", COMMANDS)
@pytest.mark.parametrize("path", [INSTANCE, JOB])
def test_a_command_is_followed_only_if_its_sender_has_read_the_present_state(
    memory_site: Site, what: str, path: str
) -> None:
    memory_site.register()
    memory_site.report(status="provisioning")
    if COMMANDS[what]:
        memory_site.report(status="running", **MACHINE)
    old = memory_site.get(path).headers["ETag"]
    memory_site.report(type="heartbeat")

    problem_of(given(memory_site, what, old), 412, "precondition-failed")
    problem_of(given(memory_site, what, f'{old}, "other", W/{old}'), 412, "precondition-failed")
    before = memory_site.position

    present = memory_site.get(path).headers["ETag"]
    problem_of(given(memory_site, what, f"W/{present}"), 412, "precondition-failed")
    assert memory_site.position == before
    memory_site.clock.advance(90)  # the uptime in the tag is another one
    assert given(memory_site, what, f'"other", {present}').status_code == 200


def test_a_retry_is_bound_to_the_state_too(memory_site: Site) -> None:
    memory_site.register()
    old = memory_site.get(JOB).headers["ETag"]
    memory_site.report(status="failed")

    problem_of(given(memory_site, "retry", old), 412, "precondition-failed")
    present = memory_site.get(JOB).headers["ETag"]
    assert given(memory_site, "retry", present).status_code == 200


def test_a_star_matches_whatever_there_is(memory_site: Site) -> None:
    problem_of(given(memory_site, "DELETE", "*"), 404)
    memory_site.register()
    memory_site.report(status="running", **MACHINE)

    assert given(memory_site, "DELETE", "*").status_code == 200


def test_what_cannot_be_done_is_refused_as_before(memory_site: Site) -> None:
    memory_site.register()
    present = memory_site.get(INSTANCE).headers["ETag"]

    problem_of(given(memory_site, "DELETE", present), 400, "nothing-to-stop")
    problem_of(given(memory_site, "DELETE", "nonsense"), 412, "precondition-failed")


@pytest.mark.parametrize("condition", ['""', 'W/""', ",", '"', '"a', ";", "W/", " , ,"])
def test_a_malformed_condition_matches_nothing(memory_site: Site, condition: str) -> None:
    memory_site.register()

    problem_of(given(memory_site, "fail", condition), 412, "precondition-failed")
