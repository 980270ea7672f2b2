"""A page follows its job by itself, and leaves alone what somebody is doing there."""

from __future__ import annotations

import re
from statistics import median
from time import monotonic

import pytest
from playwright.sync_api import Route, expect

from tests.support.people.browsing import Visitor, active_step, connected, until
from tests.support.processes.server import Server

AT_ONCE_SECONDS = 1.0
"""Within how many seconds a page shows what Milepost has received."""
TURNED_WITHIN = 15_000
"""A health of the demo's definition changes after 4 s, and a page asks up to 4 s later."""
STEPS = (
    ({"status": "provisioning", "workflow_run_id": "1"}, "Creating Server"),
    ({"status": "provisioning", "step": "vm_created"}, "Installing Dependencies"),
    ({"status": "provisioning", "step": "ansible_started"}, "Configuring Agent"),
    ({"status": "provisioning", "step": "ansible_complete"}, "Running"),
)
MACHINE = {"server_id": "vm-1", "server_ip": "192.0.2.1", "tailscale_ip": "100.64.0.1"}
HOSTILE = (
    "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script> "
    + "w" * 200
    + " \u202eback\u202c 🚀 "
    + "a line of a log\n" * 700
)
WATCH_ANNOUNCER = """() => {
  window.said = [];
  new MutationObserver(() => said.push(announcer.textContent)).observe(
    document.getElementById("announcer"), { childList: true, characterData: true, subtree: true });
}"""


def registered(server: Server, job_id: str) -> str:
    """Register a job of an agent and a user of its own; return the path of its page."""
    job = {"job_id": job_id, "agent_id": f"agent-of-{job_id}", "user_id": f"user-of-{job_id}"}
    assert server.post("/api/jobs", job).status == 201
    return f"/jobs/{job_id}"


def test_each_step_of_the_workflow_turns_over_within_a_second_and_without_a_reload(
    visitor: Visitor, server: Server
) -> None:
    page = visitor.open(registered(server, "steps"))
    page.evaluate("window.isTheSame = true")
    connected(visitor)
    expect(active_step(page)).to_have_text("Queued")
    icons = {page.locator("link[data-live-icon]").get_attribute("href")}
    seconds = []

    for callback, label in STEPS:
        server.callback({"job_id": "steps", **callback})
        received_at = monotonic()
        expect(active_step(page)).to_have_text(label)
        seconds.append(monotonic() - received_at)
        expect(page).to_have_title(re.compile(rf"^\d of 5 · {label} · steps"))
        icons.add(page.locator("link[data-live-icon]").get_attribute("href"))
    server.callback({"job_id": "steps", "status": "running", "workflow_run_id": "1", **MACHINE})

    done = page.locator(".stepper li[data-state=completed]")
    expect(done).to_have_count(5)
    expect(page).to_have_title(re.compile("^Running · steps"))
    expect(page.locator("#announcer")).to_contain_text("Running")
    # The median: another test may take both cores for a second.
    assert median(seconds) < AT_ONCE_SECONDS
    assert len(icons) == 5
    assert page.evaluate("window.isTheSame")


def test_the_page_of_all_jobs_follows_them(visitor: Visitor, server: Server) -> None:
    page = visitor.open("/jobs")
    connected(visitor)
    registered(server, "listed")

    row = page.locator("li.job").filter(has=page.get_by_role("link", name="listed", exact=True))
    expect(row).to_be_visible()
    server.callback({"job_id": "listed", "status": "provisioning", "step": "vm_created"})
    expect(row).to_contain_text("Installing Dependencies")
    server.callback({"job_id": "listed", "status": "failed", "error": "no disk left"})
    expect(row).to_contain_text("no disk left")


def test_the_page_of_an_agent_goes_on_with_its_next_job(visitor: Visitor, server: Server) -> None:
    registered(server, "first-job")
    page = visitor.open("/agents/agent-of-first-job")
    server.callback({"job_id": "first-job", "status": "failed", "error": "no disk left"})
    expect(page.locator("main")).to_contain_text("no disk left")

    job = {"job_id": "next-job", "agent_id": "agent-of-first-job", "user_id": "user-of-first-job"}
    assert server.post("/api/jobs", job).status == 201

    expect(page.locator("main")).to_contain_text("next-job")
    server.callback({"job_id": "next-job", "status": "provisioning", "step": "ansible_started"})
    expect(active_step(page)).to_have_text("Configuring Agent")


@pytest.mark.parametrize("other", [None, "/jobs", "/jobs/elsewhere", "/jobs/{}"])
def test_what_happened_between_the_page_and_its_stream_is_shown(
    visitor: Visitor, server: Server, other: str | None
) -> None:
    """The page says which position it shows, whatever other tabs have heard meanwhile."""
    job_id = f"between-{len(other or '')}"
    path = registered(server, job_id)
    server.callback({"job_id": "elsewhere", "status": "provisioning", "step": "vm_created"})
    if other:
        visitor.open(other.format(job_id))
        connected(visitor)
    page = visitor.context.new_page()

    def report_first(route: Route) -> None:
        server.callback({"job_id": job_id, "status": "provisioning", "step": "vm_created"})
        if other:
            expect(visitor.context.pages[0].locator("main")).to_contain_text("Installing")
        route.continue_()

    page.route("**/static/live/live.js", report_first)
    page.goto(path)

    expect(active_step(page)).to_have_text("Installing Dependencies")


def test_focus_selection_and_opened_details_outlive_a_change(
    visitor: Visitor, server: Server
) -> None:
    page = visitor.open(registered(server, "kept"))
    server.callback({"job_id": "kept", "status": "provisioning", "step": "vm_created"})
    expect(active_step(page)).to_have_text("Installing Dependencies")
    page.evaluate("getSelection().selectAllChildren(document.querySelector('h1'))")
    details = page.locator("main details").first
    details.locator("summary").first.click()
    page.evaluate("getSelection().selectAllChildren(document.querySelector('h1'))")
    focused = page.evaluate("document.activeElement.outerHTML")

    server.callback({"job_id": "kept", "status": "provisioning", "step": "ansible_started"})
    expect(active_step(page)).to_have_text("Configuring Agent")

    assert page.evaluate("getSelection().toString()").strip() == "kept"
    assert details.get_attribute("open") is not None
    assert page.evaluate("document.activeElement.outerHTML") == focused


def test_a_half_typed_reason_outlives_a_change(visitor: Visitor, server: Server) -> None:
    """The link beside a reason opens the form; the job goes on while somebody types."""
    path = registered(server, "typed")
    page = visitor.open(f"{path}#do-cancel")
    connected(visitor)
    reason = page.locator("#order-cancel").get_by_role("textbox")
    reason.press_sequentially("The customer")

    server.callback({"job_id": "typed", "status": "provisioning", "step": "ansible_started"})
    expect(active_step(page)).to_have_text("Configuring Agent")

    expect(reason).to_be_focused()
    reason.press_sequentially(" left")
    expect(reason).to_have_value("The customer left")
    page.locator("#order-cancel").get_by_role("button").click()
    expect(page.locator(".notice")).to_have_text("The job is cancelled.")
    expect(page.locator(".events")).to_contain_text("The customer left")


def test_times_tick_and_no_live_region_does(visitor: Visitor, server: Server) -> None:
    path = registered(server, "ticking")
    server.callback({"job_id": "ticking", "status": "provisioning", "step": "vm_created"})
    page = visitor.context.new_page()
    page.clock.install()
    page.goto(path)
    time = page.locator("main time[data-since]").first
    expect(time).to_have_text(re.compile(r"^\d s$"))
    page.evaluate(WATCH_ANNOUNCER)

    page.clock.run_for(9_000)  # less than what makes a connection count as dead

    expect(time).to_have_text(re.compile(r"^(9|1\d) s$"))
    assert page.locator("[aria-live] time, [role=status] time, [role=alert] time").count() == 0
    assert page.evaluate("said") == []
    server.callback({"job_id": "ticking", "status": "provisioning", "step": "ansible_started"})
    until(page, lambda: bool(page.evaluate("said.length")))
    [sentence] = page.evaluate("said")
    assert "Configuring Agent" in sentence
    assert not re.search(r"\d+ (s|min)\b", sentence)


def test_a_job_that_falls_silent_turns_over_without_an_event(
    visitor: Visitor, server: Server
) -> None:
    """The demo's definition allows 6 s of silence, and a job is unresponsive after 4 s."""
    job = {"job_id": "dying", "agent_id": "agent-of-dying", "workflow": "milepost-demo"}
    assert server.post("/api/jobs", job).status == 201
    server.callback({"job_id": "dying", "type": "heartbeat"})
    pages = [visitor.open(path) for path in ("/jobs/dying", "/agents/agent-of-dying", "/jobs")]
    connected(visitor)

    for page in pages:
        shown = page.locator("main .subject, main .job, main section").filter(has_text="dying")
        word = shown.get_by_text("unresponsive", exact=True).first
        expect(word).to_be_visible(timeout=TURNED_WITHIN)
    expect(pages[0].locator("#announcer")).to_contain_text("It is unresponsive, and may be dead.")
    expect(pages[0]).to_have_title(re.compile("^Unresponsive! · "))


def test_a_page_asks_again_at_the_time_that_its_server_says_and_not_before(
    visitor: Visitor, server: Server
) -> None:
    server.callback({"job_id": "turning", "status": "provisioning", "step": "vm_created"})
    page = visitor.context.new_page()
    page.clock.install()
    page.emulate_media(reduced_motion="no-preference")
    page.goto("/jobs/turning")
    connected(visitor)
    page.evaluate(WATCH_ANNOUNCER)
    asked: list[str] = []
    page.on("request", lambda each: asked.append(each.url))
    page.clock.run_for(10_000)
    assert f"{server.url}/jobs/turning" not in asked

    arc = page.locator(".stepper .arc")
    expect(arc).to_have_css("animation-name", "turn")

    # The late job of a server whose clock is 150 s on.
    def late(route: Route) -> None:
        answer = route.fetch()
        text = answer.text().replace('data-health="ok"', 'data-health="late"')
        route.fulfill(
            response=answer, body=re.sub("data-announce=", 'data-announce="late" x=', text)
        )

    page.route("**/jobs/turning", late)
    page.evaluate("""() => {
      const { dataset } = document.querySelector("main");
      dataset.turns = new Date(Date.parse(dataset.now) + 20_000).toISOString();
    }""")
    page.clock.run_for(20_000)

    expect(page.locator(".stepper")).to_have_attribute("data-health", "late")
    expect(page.locator("#announcer")).to_have_text("late")
    expect(arc).to_have_css("animation-name", "none")
    assert asked.count(f"{server.url}/jobs/turning") == 1


def test_hostile_text_that_comes_live_stays_text(visitor: Visitor, server: Server) -> None:
    page = visitor.open(registered(server, "hostile"))
    connected(visitor)

    server.callback({"job_id": "hostile", "status": "failed", "error": HOSTILE})

    expect(page.locator("main pre").first).to_contain_text("<img src=x onerror=")
    assert page.locator("main img, main script").count() == 0
    assert page.title().startswith("Failed")


def test_the_slider_shows_each_version_and_goes_on_live_at_its_end(
    visitor: Visitor, server: Server
) -> None:
    path = registered(server, "slid")
    server.callback({"job_id": "slid", "status": "provisioning", "step": "vm_created"})
    server.callback({"job_id": "slid", "status": "provisioning", "step": "ansible_started"})
    page = visitor.open(path)
    page.evaluate("window.isTheSame = true")
    slider = page.get_by_label("The job after event")

    slider.press("Home")

    expect(active_step(page)).to_have_text("Queued")
    expect(page).to_have_url(f"{server.url}/jobs/slid?version=1")
    expect(slider).to_be_focused()
    server.callback({"job_id": "slid", "status": "provisioning", "step": "ansible_complete"})
    expect(slider).to_have_attribute("max", "4")
    expect(active_step(page)).to_have_text("Queued")
    slider.press("End")
    expect(active_step(page)).to_have_text("Running")
    expect(page).to_have_url(f"{server.url}/jobs/slid")
    server.callback({"job_id": "slid", "status": "failed", "error": "no disk left"})
    expect(page).to_have_title("Failed · slid · Milepost")
    assert page.evaluate("window.isTheSame")


def test_the_page_of_a_refused_order_goes_on_as_the_jobs_page(
    visitor: Visitor, server: Server
) -> None:
    path = registered(server, "refusing")
    page = visitor.context.new_page()
    page.route("**/static/live/live.js", lambda route: route.abort())  # so the page stays old
    page.goto(path)
    page.unroute("**/static/live/live.js")
    page.locator("#order-cancel summary").click()
    server.callback({"job_id": "refusing", "status": "running", "workflow_run_id": "1", **MACHINE})

    page.locator("#order-cancel").get_by_role("button").click()

    expect(page.get_by_role("alert")).to_be_visible()
    expect(page).to_have_url(f"{server.url}/jobs/refusing")
    server.callback({"job_id": "refusing", "status": "failed", "error": "no disk left"})
    expect(page.locator(".events")).to_contain_text("no disk left")
    expect(page.locator("#connection")).to_be_hidden()
    assert (
        page.get_by_role("link", name="First").get_attribute("href") == "/jobs/refusing?version=1"
    )
