"""A tab whose sign-in has ended says so, and says how to go on."""

from __future__ import annotations

from playwright.sync_api import Browser, Page, expect

from tests.support.people.browsing import Visitor, active_step, connected, until
from tests.support.people.shell import Shell
from tests.support.processes.server import TOKEN, Server

WITHIN = 15_000
"""A stream ends within 5 s, and the time of one statement."""


def ended(page: Page, path: str) -> None:
    """Expect that the page says that its sign-in has ended, with a link back to this page."""
    line = page.locator("#connection")
    expect(line).to_have_text("Your sign-in has ended. Sign in again", timeout=WITHIN)
    expect(page.locator("#announcer")).to_have_text("Your sign-in has ended.")
    address = line.get_by_role("link").get_attribute("href") or ""
    assert address.endswith(f"/sign-in?next={path.replace('/', '%2F')}")


def test_signing_out_in_one_tab_ends_the_others(visitor: Visitor, server: Server) -> None:
    server.callback({"job_id": "out", "status": "provisioning"})
    leading, following = visitor.open("/jobs/out"), visitor.open("/jobs/out?version=1")
    connected(visitor)
    third = visitor.open("/jobs")

    third.get_by_role("button", name="Sign out").click()

    expect(third).to_have_url(f"{server.url}/sign-in")
    ended(leading, "/jobs/out")
    ended(following, "/jobs/out%3Fversion%3D1")
    until(third, lambda: not visitor.streams)
    leading.locator("#connection").get_by_role("link").click()
    leading.get_by_label("Token").fill(TOKEN)
    leading.get_by_role("button", name="Sign in").click()
    expect(leading).to_have_url(f"{server.url}/jobs/out")
    server.callback({"job_id": "out", "status": "provisioning", "step": "vm_created"})
    expect(active_step(leading)).to_have_text("Installing Dependencies")


def test_a_token_that_is_revoked_ends_the_page(browser: Browser, server: Server) -> None:
    shell = Shell(**server.env)
    secret = shell.json("tokens", "create", "page", "--scope", "read")
    visitor = Visitor(browser, server, secret["token"])
    server.callback({"job_id": "revoked", "status": "provisioning"})
    page = visitor.open("/jobs/revoked")
    connected(visitor)

    shell("tokens", "revoke", secret["id"])

    ended(page, "/jobs/revoked")
    visitor.close()


def test_a_tab_that_is_looked_at_after_signing_in_again_goes_on(
    visitor: Visitor, server: Server
) -> None:
    server.callback({"job_id": "again", "status": "provisioning"})
    page = visitor.open("/jobs/again")
    connected(visitor)
    cookies = visitor.context.cookies()
    visitor.context.clear_cookies()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    ended(page, "/jobs/again")

    visitor.context.add_cookies(cookies)  # type: ignore[arg-type]
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    expect(page.locator("#connection")).to_be_hidden()
    server.callback({"job_id": "again", "status": "provisioning", "step": "vm_created"})
    expect(active_step(page)).to_have_text("Installing Dependencies")
