"""Operators' commands from a job's page: only what is possible, with a reason, by our own form."""

from __future__ import annotations

import html
import re
from urllib.parse import quote

import pytest
from werkzeug.test import TestResponse

from domain.job.events import AttemptCancelled, MachineStopped
from tests.support.web.site import MACHINE, Site

FORM = re.compile(r'<form method="post" action="(/jobs/[^"]+)">(.*?)</form>', re.DOTALL)
CSRF = re.compile(r'name="csrf" value="([^"]+)"')


def forms(site: Site, cookie: str, job_id: str = "job-1") -> dict[str, tuple[str, str]]:
    """Return the address and the proof of each form on a job's page, by the order that it gives."""
    text = site.look(f"/jobs/{quote(job_id)}", cookie).text
    found = {}
    for address, content in FORM.findall(text):
        proof = CSRF.search(content)
        assert proof, content
        found[address.rpartition("/")[2]] = html.unescape(address), proof[1]
    return found


def give(site: Site, cookie: str, order: str, job_id: str = "job-1", **fields: str) -> TestResponse:
    """Send the form of an order."""
    address, proof = forms(site, cookie, job_id)[order]
    return site.client.post(address, data={"csrf": proof, **fields}, headers={"Cookie": cookie})


def test_the_page_offers_what_is_possible_now(memory_site: Site) -> None:
    site = memory_site
    site.register()
    cookie = site.sign_in()

    assert set(forms(site, cookie)) == {"cancel", "fail"}
    site.report(status="running", **MACHINE)
    assert set(forms(site, cookie)) == {"stop", "stopped"}
    site.report("job-2", status="failed", error="no quota")
    assert set(forms(site, cookie, "job-2")) == {"retry"}


def test_an_order_is_followed_recorded_and_said(database_site: Site) -> None:
    site = database_site
    site.register()
    site.report(status="provisioning")
    cookie = site.sign_in()

    answer = give(site, cookie, "cancel", reason="nobody wants it")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/jobs/job-1?done=cancel")
    shown = site.look(answer.headers["Location"], cookie).text
    assert "The job is cancelled." in shown
    assert "nobody wants it" in shown
    fact = site.facts()[-1]
    assert isinstance(fact, AttemptCancelled)
    assert (fact.reason, fact.token_id) == ("nobody wants it", "admin")


@pytest.mark.parametrize(
    ("order", "callbacks", "sentence"),
    [
        ("cancel", [], "Cancelled at Queued, step 1 of 5."),
        ("cancel", [{"status": "provisioning"}], "Cancelled at Creating Server, step 2 of 5."),
        ("fail", [], "Failed at Installing Dependencies, step 3 of 5."),
    ],
)
def test_a_cancelled_job_stays_at_its_step(
    memory_site: Site, order: str, callbacks: list[dict[str, str]], sentence: str
) -> None:
    site = memory_site
    site.register()
    for each in callbacks:
        site.report(**each)
    cookie = site.sign_in()

    give(site, cookie, order)

    assert sentence in site.look("/jobs/job-1", cookie).text


def test_an_order_that_came_too_late_says_what_is_possible(memory_site: Site) -> None:
    site = memory_site
    site.register()
    cookie = site.sign_in()
    address, proof = forms(site, cookie)["cancel"]
    site.report(status="running", **MACHINE)

    late = site.client.post(address, data={"csrf": proof}, headers={"Cookie": cookie})

    assert late.status_code == 409
    assert "The job has ended already (running since" in late.text
    assert "Possible now: stop, stopped." in late.text
    assert 'role="alert"' in late.text


def test_an_order_that_changes_nothing_says_so(memory_site: Site) -> None:
    site = memory_site
    site.register()
    cookie = site.sign_in()
    address, proof = forms(site, cookie)["cancel"]
    answers = [
        site.client.post(address, data={"csrf": proof}, headers={"Cookie": cookie})
        for _ in range(2)
    ]

    assert answers[1].headers["Location"] == "/jobs/job-1?done=cancel-already"
    text = site.look(answers[1].headers["Location"], cookie).text
    assert "Nothing has changed: it was so already." in text


def test_of_several_machines_one_is_chosen(memory_site: Site) -> None:
    site = memory_site
    site.register()
    for number in ("1", "2"):
        site.report(status="provisioning", workflow_run_id=number)
        site.report(status="failed", workflow_run_id=number, server_id=f"srv-{number}")
    cookie = site.sign_in()
    assert '<option value="srv-1">srv-1</option>' in site.look("/jobs/job-1", cookie).text

    give(site, cookie, "stopped", server_id="srv-1")

    fact = site.facts()[-1]
    assert isinstance(fact, MachineStopped)
    assert fact.attempt == 1


@pytest.mark.parametrize("job_id", ["a/b", "a/cancel", 'a "b" 100%', "a/../b"])
def test_a_job_with_a_strange_id_takes_orders(memory_site: Site, job_id: str) -> None:
    site = memory_site
    site.register(job_id)
    cookie = site.sign_in()

    answer = give(site, cookie, "cancel", job_id)

    assert answer.status_code == 303
    assert site.job(quote(job_id))["outcome"] == "cancelled"


def test_a_reason_with_control_characters_is_refused_in_words(memory_site: Site) -> None:
    site = memory_site
    site.register()
    cookie = site.sign_in()

    answer = give(site, cookie, "cancel", reason="a\x1b[31mb")

    assert answer.status_code == 400
    assert "reason: " in answer.text
    assert len(site.facts()) == 1


def test_a_token_that_may_only_read_is_offered_nothing_and_refused(memory_site: Site) -> None:
    site = memory_site
    site.register()
    address, _ = forms(site, site.sign_in())["cancel"]
    cookie = site.sign_in(site.token("read"))

    assert forms(site, cookie) == {}
    proof = CSRF.search(site.look("/jobs", cookie).text)
    assert proof
    answer = site.client.post(address, data={"csrf": proof[1]}, headers={"Cookie": cookie})
    assert answer.status_code == 403
    assert len(site.facts()) == 1


def test_a_form_without_its_proof_gives_no_order(memory_site: Site) -> None:
    site = memory_site
    site.register()
    cookie = site.sign_in()

    for data in ({}, {"csrf": "x"}):
        answer = site.client.post("/jobs/job-1/cancel", data=data, headers={"Cookie": cookie})
        assert answer.status_code == 403
    assert len(site.facts()) == 1


def test_a_job_of_another_user_takes_no_order(memory_site: Site) -> None:
    site = memory_site
    site.register("hers", user_id="bob")
    site.register("mine", "agent-2", user_id="ada")
    cookie = site.sign_in(site.token("read", "write", user_id="ada"))
    _, proof = forms(site, cookie, "mine")["cancel"]

    answer = site.client.post("/jobs/hers/cancel", data={"csrf": proof}, headers={"Cookie": cookie})

    assert answer.status_code == 404
    assert len(site.facts("hers")) == 1


def test_who_may_give_orders_is_led_from_what_needs_attention_to_them(memory_site: Site) -> None:
    site = memory_site
    site.register()
    site.report(status="failed", error="no quota", **MACHINE)
    site.project()
    writer, reader = site.sign_in(), site.sign_in(site.token("read"))

    for page, link in (("/jobs", "/jobs/job-1#do-stopped"), ("/jobs/job-1", "#do-stopped")):
        for cookie, offered in ((writer, True), (reader, False)):
            text = site.look(page, cookie).text
            assert "milepost stopped job-1" in text
            assert (f'href="{link}">Machine srv-1 is gone …' in text) is offered, (page, offered)
    assert 'id="do-stopped"' in site.look("/jobs/job-1", writer).text


def test_the_orders_of_a_narrow_page_are_one_jump_away(memory_site: Site) -> None:
    site = memory_site
    site.register()

    header = site.look("/jobs/job-1", site.sign_in()).text.split("</header>")[1]

    assert '<a href="#orders">What you can do</a>' in header


def test_the_order_about_a_machine_names_it(memory_site: Site) -> None:
    site = memory_site
    site.register()
    cookie = site.sign_in()
    texts = []
    for number in ("1", "2"):
        site.report(status="provisioning", workflow_run_id=number)
        site.report(status="failed", workflow_run_id=number, server_id=f"srv-{number}")
        texts.append(site.look("/jobs/job-1", cookie).text)

    assert "Machine srv-1 is gone …" in texts[0]
    assert "Confirms that the machine srv-1 is gone:" in texts[0]
    assert "One of 2 machines is gone …" in texts[1]
    assert "Confirms that the machine you choose is gone, srv-1 or srv-2:" in texts[1]


def test_a_machine_without_an_id_is_not_named(memory_site: Site) -> None:
    memory_site.report(status="running")

    text = memory_site.look("/jobs/job-1", memory_site.sign_in()).text

    assert "Confirms that the machine, which told no id, is gone:" in text


def test_the_orders_about_a_timeout_say_what_they_change(memory_site: Site) -> None:
    site = memory_site
    site.register()
    site.report(status="provisioning")
    cookie = site.sign_in()
    site.clock.advance(10_000)
    site.watch()
    assert site.job()["outcome"] == "timed_out"

    text = site.look("/jobs/job-1", cookie).text

    assert "The end becomes yours: no late word of the workflow takes it back." in text
    assert "Says that nobody wants the job any more." in text
    assert "Leaves this attempt timed out, and opens the next one" in text


def test_no_button_beside_the_reason_says_that_a_used_machine_is_gone(memory_site: Site) -> None:
    site = memory_site
    site.report(status="failed", **MACHINE)
    cookie = site.sign_in()
    site.project()
    assert 'class="to-orders"' in site.look("/jobs", cookie).text

    site.report("job-2", status="running", **MACHINE)
    site.project()

    for path in ("/jobs", "/jobs/job-1"):
        shown = html.unescape(site.look(path, cookie).text)
        assert "and the job job-2 uses it now: do not remove it." in re.sub("<[^>]+>", "", shown)
        assert 'class="to-orders"' not in shown
