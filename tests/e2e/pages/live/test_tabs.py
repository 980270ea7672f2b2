"""The tabs of a browser share one stream: over HTTP/1.1, the seventh stream would hang."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.support.people.browsing import Visitor, active_step, connected, until
from tests.support.processes.server import Server

TABS = 7
"""One more than the connections that a browser opens to a server."""
WITHIN_A_TICK = 10_000
"""A tab that its leader does not know says what it watches again after 5 s."""
NO_LOCKS = "Object.defineProperty(Navigator.prototype, 'locks', { value: undefined })"
MUTE = """() => {
  BroadcastChannel.prototype.says = BroadcastChannel.prototype.postMessage;
  BroadcastChannel.prototype.postMessage = () => {};
}"""
UNMUTE = """() => {
  BroadcastChannel.prototype.postMessage = BroadcastChannel.prototype.says;
}"""
HIDE = """(isHidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, value: isHidden });
  Object.defineProperty(document, "visibilityState",
    { configurable: true, value: isHidden ? "hidden" : "visible" });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def reported(server: Server, job_id: str, step: str) -> None:
    assert server.callback({"job_id": job_id, "status": "provisioning", "step": step}).status == 200


def opened(visitor: Visitor, server: Server, name: str, tabs: int = TABS) -> dict[str, Page]:
    """Open a tab for each of some new jobs, by their ids."""
    job_ids = [f"{name}-{number}" for number in range(tabs)]
    for job_id in job_ids:
        reported(server, job_id, "vm_created")
    return {job_id: visitor.open(f"/jobs/{job_id}") for job_id in job_ids}


def all_follow(server: Server, tabs: dict[str, Page], step: str, label: str) -> None:
    """Report a step of each job; each tab shows it."""
    for job_id in tabs:
        reported(server, job_id, step)
    for page in tabs.values():
        expect(active_step(page)).to_have_text(label)


def leader(visitor: Visitor) -> Page:
    """Return the tab that reads the stream."""
    [request] = visitor.streams
    return request.frame.page


def settled(visitor: Visitor, page: Page) -> None:
    """Wait until there is one stream, which has begun."""
    until(page, lambda: len(visitor.streams) == 1 and visitor.begun == visitor.streams)


def test_seven_tabs_are_live_over_one_stream(visitor: Visitor, server: Server) -> None:
    tabs = opened(visitor, server, "seven")

    all_follow(server, tabs, "ansible_started", "Configuring Agent")

    settled(visitor, tabs["seven-0"])
    assert leader(visitor) is tabs["seven-0"]
    all_follow(server, tabs, "ansible_complete", "Running")
    assert len(visitor.streams) == 1


def test_when_the_leader_is_closed_another_tab_takes_over_and_nothing_is_missed(
    visitor: Visitor, server: Server
) -> None:
    tabs = opened(visitor, server, "closed", 4)
    settled(visitor, tabs["closed-0"])
    for _ in range(2):
        first = leader(visitor)
        [gone] = [job_id for job_id, page in tabs.items() if page is first]
        rest = {job_id: page for job_id, page in tabs.items() if page is not first}
        first.close()
        for job_id in rest:  # while nobody leads
            reported(server, job_id, "ansible_started")
        for page in rest.values():
            expect(active_step(page)).to_have_text("Configuring Agent")
        settled(visitor, next(iter(rest.values())))
        assert leader(visitor) is not first
        tabs = {job_id: page for job_id, page in rest.items() if job_id != gone}
    all_follow(server, tabs, "ansible_complete", "Running")


def test_a_leader_that_is_about_to_be_frozen_hands_over_and_catches_up_when_it_wakes(
    visitor: Visitor, server: Server
) -> None:
    tabs = opened(visitor, server, "frozen", 2)
    settled(visitor, tabs["frozen-0"])
    frozen, other = tabs["frozen-0"], tabs["frozen-1"]

    frozen.evaluate("document.dispatchEvent(new Event('freeze'))")  # a visible tab is never frozen

    until(other, lambda: len(visitor.streams) == 1 and leader(visitor) is other)
    reported(server, "frozen-0", "ansible_started")
    reported(server, "frozen-1", "ansible_started")
    expect(active_step(other)).to_have_text("Configuring Agent")
    expect(active_step(frozen)).to_have_text("Installing Dependencies")
    frozen.evaluate("document.dispatchEvent(new Event('resume'))")
    expect(active_step(frozen)).to_have_text("Configuring Agent")
    all_follow(server, tabs, "ansible_complete", "Running")
    settled(visitor, other)


def test_a_leader_that_says_nothing_is_robbed_and_never_steals_back(
    visitor: Visitor, server: Server
) -> None:
    """As one that a phone has frozen without a word. Its lock stays, and it answers nobody."""
    tabs = opened(visitor, server, "silent", 1)
    silent = tabs["silent-0"]
    settled(visitor, silent)
    reported(server, "robber", "vm_created")
    robber = visitor.context.new_page()
    robber.clock.install()
    robber.goto("/jobs/robber")
    silent.evaluate(MUTE)

    robber.clock.run_for(21_000)

    until(robber, lambda: any(each.frame.page is robber for each in visitor.begun))
    reported(server, "robber", "ansible_started")
    expect(active_step(robber)).to_have_text("Configuring Agent")
    expect(robber.locator("#connection")).to_be_hidden()
    settled(visitor, robber)
    assert leader(visitor) is robber
    silent.evaluate(UNMUTE)
    reported(server, "silent-0", "ansible_complete")
    expect(active_step(silent)).to_have_text("Running", timeout=WITHIN_A_TICK)
    assert leader(visitor) is robber


def test_a_page_that_comes_back_by_the_back_button_is_live_again(
    visitor: Visitor, server: Server
) -> None:
    tabs = opened(visitor, server, "back", 2)
    page = tabs["back-0"]
    page.goto("/jobs")
    reported(server, "back-0", "ansible_started")

    page.go_back()

    expect(active_step(page)).to_have_text("Configuring Agent")
    all_follow(server, tabs, "ansible_complete", "Running")
    settled(visitor, page)


def test_a_hidden_list_of_jobs_rests_and_catches_up_when_somebody_looks(
    visitor: Visitor, server: Server
) -> None:
    page = visitor.open("/jobs")
    settled(visitor, page)
    page.evaluate(HIDE, True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    tabs = opened(visitor, server, "hidden", 1)
    all_follow(server, tabs, "ansible_started", "Configuring Agent")
    assert asked == []

    page.evaluate(HIDE, False)

    expect(page.locator("main")).to_contain_text("hidden-0")


def test_without_web_locks_each_visible_tab_has_a_stream(visitor: Visitor, server: Server) -> None:
    """As in a browser that reached the server over plain HTTP by another name than localhost."""
    visitor.context.add_init_script(NO_LOCKS)
    tabs = opened(visitor, server, "alone", 2)
    page = tabs["alone-0"]
    until(page, lambda: len(visitor.begun) == 2)
    all_follow(server, tabs, "ansible_started", "Configuring Agent")

    tabs["alone-1"].evaluate(HIDE, True)
    settled(visitor, page)
    reported(server, "alone-1", "ansible_complete")
    tabs["alone-1"].evaluate(HIDE, False)

    expect(active_step(tabs["alone-1"])).to_have_text("Running")
    connected(visitor)
