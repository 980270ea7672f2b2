"""What a page says while it hears nothing of its server, and how it catches up."""

from __future__ import annotations

import re
import signal
from functools import partial

from playwright.sync_api import Route, expect

from tests.support.people.browsing import Visitor, active_step, connected
from tests.support.processes.server import Server

STOPPED = re.compile(r"^Live updates stopped \d+ s ago; trying again$")
PATIENCE = 20_000
"""A page tries again after 10 s at most."""


def reported(server: Server, job_id: str, step: str) -> None:
    assert server.callback({"job_id": job_id, "status": "provisioning", "step": step}).status == 200


def test_a_server_that_is_lost_is_said_in_words_and_the_page_catches_up(
    visitor: Visitor, server: Server
) -> None:
    reported(server, "lost", "vm_created")
    page = visitor.open("/jobs/lost")
    connected(visitor)

    server.kill()
    line = page.locator("#connection")
    expect(line).to_have_text(STOPPED)
    expect(line).to_contain_text("5 s ago", timeout=PATIENCE)
    expect(page.locator("#announcer")).to_have_text("Live updates stopped; trying again")
    server.start()
    reported(server, "lost", "ansible_started")

    expect(active_step(page)).to_have_text("Configuring Agent", timeout=PATIENCE)
    expect(line).to_be_hidden()


def test_a_connection_that_is_dead_is_noticed_after_15_seconds_without_a_byte(
    visitor: Visitor, server: Server
) -> None:
    reported(server, "silent", "vm_created")
    page = visitor.context.new_page()
    page.clock.install()
    page.goto("/jobs/silent")
    connected(visitor)
    processes = server.processes()
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    page.clock.run_for(14_000)
    expect(page.locator("#connection")).to_be_hidden()

    page.clock.run_for(4_000)
    expect(page.locator("#connection")).to_have_text(STOPPED)

    for process in processes:
        process.send_signal(signal.SIGCONT)
    page.clock.run_for(10_000)
    reported(server, "silent", "ansible_started")
    expect(active_step(page)).to_have_text("Configuring Agent", timeout=PATIENCE)
    expect(page.locator("#connection")).to_be_hidden()


def test_a_server_with_too_many_streams_is_asked_again_when_it_says(
    visitor: Visitor, server: Server
) -> None:
    reported(server, "full", "vm_created")
    page = visitor.context.new_page()
    page.clock.install()
    asked: list[str] = []

    def refuse_first(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) > 1:
            route.continue_()
        else:
            route.fulfill(status=503, headers={"Retry-After": "30"})

    page.route("**/api/stream*", refuse_first)
    page.goto("/jobs/full")
    expect(page.locator("#connection")).to_have_text(STOPPED)
    page.clock.run_for(25_000)
    assert len(asked) == 1

    page.clock.run_for(6_000)

    expect(page.locator("#connection")).to_be_hidden()
    assert len(asked) == 2


def test_an_answer_of_something_before_the_server_is_an_interruption(
    visitor: Visitor, server: Server
) -> None:
    """An ingress says 404 while a server is rolled out, and the gate of a hotel shows its page."""
    reported(server, "behind", "vm_created")
    page = visitor.context.new_page()
    faults: list[object] = []
    page.on("pageerror", lambda fault: faults.append(fault))
    for status in (200, 403, 404):
        page.unroute_all()
        page.route("**/api/stream*", partial(foreign, status))
        page.goto("/jobs/behind")
        page.route("**/jobs/behind", partial(foreign, status))
        expect(page.locator("#connection")).to_have_text(STOPPED, timeout=PATIENCE)
        with page.expect_response("**/jobs/behind"):
            # Who comes back to a tab has it look at once.
            page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        expect(page.locator("#connection")).to_have_text(STOPPED)
        expect(active_step(page)).to_have_text("Installing Dependencies")
    reported(server, "behind", "ansible_started")

    page.unroute_all()

    expect(active_step(page)).to_have_text("Configuring Agent", timeout=PATIENCE)
    expect(page.locator("#connection")).to_be_hidden(timeout=PATIENCE)
    assert faults == []


def foreign(status: int, route: Route) -> None:
    """Answer as nothing of Milepost does."""
    route.fulfill(status=status, content_type="text/html", body="<h1>default backend</h1>")


def test_a_page_that_was_away_for_long_looks_in_place_of_reading_what_it_missed(
    visitor: Visitor, server: Server
) -> None:
    reported(server, "away", "vm_created")
    page = visitor.context.new_page()
    page.clock.install()
    page.goto("/jobs/away")
    connected(visitor)
    visitor.context.set_offline(True)
    page.clock.run_for(90_000)
    expect(page.locator("#connection")).to_have_text(re.compile("^Live updates stopped 1 min"))
    reported(server, "away", "ansible_started")
    with page.expect_request("**/api/stream*") as again:
        visitor.context.set_offline(False)
        page.clock.run_for(10_000)

    expect(active_step(page)).to_have_text("Configuring Agent")
    assert "last-event-id" not in again.value.headers
