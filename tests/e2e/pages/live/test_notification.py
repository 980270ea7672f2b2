"""A notification of the browser tells of the end, if somebody has asked for that."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.support.people.browsing import Visitor, until
from tests.support.processes.server import Server

KEEP = """
window.told = [];
window.Notification = class extends Notification {
  constructor(title, options) {
    super(title, options);
    told.push([title, options.body]);
  }
};
"""


def test_the_end_is_told_to_somebody_who_asked_for_that(visitor: Visitor, server: Server) -> None:
    visitor.context.grant_permissions(["notifications"])
    visitor.context.add_init_script(KEEP)
    server.callback({"job_id": "told", "status": "provisioning"})
    asked, other = visitor.open("/jobs/told"), visitor.open("/jobs/told")

    asked.get_by_role("button", name="Tell me when it ends").click()

    expect(asked.get_by_role("button", name="You will be told when it ends")).to_be_visible()
    server.callback({"job_id": "told", "status": "failed", "error": "no disk left"})
    until(asked, lambda: bool(asked.evaluate("told.length")))
    [[title, body]] = asked.evaluate("told")
    assert title.startswith("Failed · told")
    assert body.startswith("Failed")
    expect(asked.get_by_role("button", name="told when it ends")).to_be_hidden()
    expect(other).to_have_title(title)
    assert other.evaluate("told") == []


def test_a_browser_that_allows_no_notification_says_so(visitor: Visitor, server: Server) -> None:
    visitor.context.add_init_script("Notification.requestPermission = async () => 'denied';")
    server.callback({"job_id": "denied", "status": "provisioning"})
    page = visitor.open("/jobs/denied")

    page.get_by_role("button", name="Tell me when it ends").click()

    refused = page.get_by_role("button", name="This browser does not allow notifications here")
    expect(refused).to_be_disabled()


def test_the_page_of_a_job_that_has_ended_offers_no_notification(
    visitor: Visitor, server: Server
) -> None:
    server.callback({"job_id": "over", "status": "failed"})

    page = visitor.open("/jobs/over")

    expect(page.locator(".stepper")).to_be_visible()
    expect(page.get_by_role("button", name="Tell me when it ends")).to_be_hidden()
