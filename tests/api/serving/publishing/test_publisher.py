"""The publisher: each event once for each proxy, in the log's order, whatever becomes of either."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event

import msgspec
import pytest

from api.http.grip.instructions import content
from api.serving.publishing.held_readers import HeldReaders
from api.serving.publishing.proxy import MOST_BYTES, Proxy
from api.serving.publishing.publisher import ACTIVE_SECONDS, Publisher, TokenEnds
from api.tokens import stored_time
from projections.reading.follower import News
from tests.support.projectors.projecting import wait_until
from tests.support.projectors.seconds import Seconds
from tests.support.stores.deployment import Deployment
from tests.support.web.grip import KEY, Control, control_port
from tests.support.web.site import Site


@pytest.fixture
def control() -> Iterator[Control]:
    """The control port of a proxy."""
    with control_port() as control:
        yield control


@pytest.fixture
def site(databases: Deployment) -> Site:
    """A site on each database."""
    return Site(databases, grip_key=KEY)


@contextmanager
def publishing(site: Site, control: Control, clock: Seconds) -> Iterator[Publisher]:
    """Let a publisher be active until the context is left."""
    publisher = Publisher(site.services, control.uri, clock)
    publisher.begin()
    try:
        yield publisher
    finally:
        publisher.close()


def has(control: Control, number: int) -> Callable[[], bool]:
    return lambda: len(control.items) >= number


def of(control: Control, channel: str) -> list[tuple[str | None, str | None]]:
    """Return the id and the id before of each item of a channel."""
    return [(id_, before) for name, id_, before in control.ids if name == channel]


def test_each_event_is_published_after_the_one_before_it(site: Site, control: Control) -> None:
    with publishing(site, control, Seconds()):
        site.register()
        registered = site.position
        site.report("job-1", status="provisioning")
        begun = site.position
        site.report("job-1", status="running")
        ended = site.position
        wait_until(lambda: (f"{ended}.end", str(ended)) in of(control, "job-job-1"))

    assert of(control, "job-job-1") == [
        (str(registered), "0"),
        (str(begun), str(registered)),
        (str(ended), str(begun)),
        (f"{ended}.end", str(ended)),
    ]
    # The proxy asks what follows a registration: the job before was another chain.
    assert of(control, "agent-agent-1") == [
        (str(registered), None),
        (str(begun), str(registered)),
        (str(ended), str(begun)),
    ]
    last = next(each for each in control.items if each.get("id") == str(ended))
    assert "event: end" in last["formats"]["http-stream"]["content"]


def test_a_late_word_of_an_agents_earlier_job_is_not_for_who_watches_the_agent(
    site: Site, control: Control
) -> None:
    site.register()
    site.report("job-1", status="failed")
    site.register("job-2")
    with publishing(site, control, Seconds()):
        site.report("job-1", type="heartbeat")
        late = str(site.position)
        site.report("job-2", status="provisioning")
        newest = str(site.position)
        wait_until(lambda: newest in [id_ for id_, _ in of(control, "agent-agent-1")])

    assert late in [id_ for id_, _ in of(control, "job-job-1")]
    assert late not in [id_ for id_, _ in of(control, "agent-agent-1")]


def test_a_proxy_that_was_away_is_told_what_it_missed(site: Site, control: Control) -> None:
    control.status = 503
    with publishing(site, control, Seconds()):
        site.register()
        wait_until(lambda: control.refused > 0)
        site.report("job-1", status="provisioning")
        control.status = 200
        wait_until(has(control, 4))

    assert [id_ for id_, _ in of(control, "job-job-1")] == [str(each) for each in (1, 2)]


def test_the_next_publisher_goes_on_where_the_last_one_ended(site: Site, control: Control) -> None:
    clock = Seconds()
    with publishing(site, control, clock) as first:
        site.register()

        def is_noted() -> bool:
            # The proxy has the items a moment before the publisher knows that.
            first.step()
            return site.services.read_model.note(f"grip {control.uri}") == "1"

        wait_until(is_noted)
    site.report("job-1", status="provisioning")
    site.report("job-1", type="heartbeat")
    with publishing(site, control, clock):
        wait_until(lambda: len(of(control, "job-job-1")) == 3)

    assert [id_ for id_, _ in of(control, "job-job-1")] == ["1", "2", "3"]


def test_a_publisher_that_ended_before_the_first_event_hides_none(
    site: Site, control: Control
) -> None:
    with publishing(site, control, Seconds()):
        pass
    site.register()
    with publishing(site, control, Seconds()):
        wait_until(has(control, 2))

    assert [id_ for id_, _ in of(control, "job-job-1")] == ["1"]


def test_a_publisher_whose_chore_was_not_called_for_a_while_goes_on_with_what_is_next(
    site: Site, control: Control
) -> None:
    clock = Seconds()
    with publishing(site, control, clock) as publisher:
        site.register()
        wait_until(has(control, 2))
        clock.now += ACTIVE_SECONDS + 1
        wait_until(lambda: not publisher.follows)
        site.report("job-1", status="provisioning")
        publisher.step()
        wait_until(lambda: len(of(control, "job-job-1")) == 2)

    assert [id_ for id_, _ in of(control, "job-job-1")] == ["1", "2"]


def test_a_publisher_that_gave_up_on_a_proxy_tells_it_again(site: Site, control: Control) -> None:
    clock = Seconds()
    control.status = 503
    with publishing(site, control, clock) as publisher:
        site.register()
        wait_until(lambda: control.refused > 0)
        clock.now += ACTIVE_SECONDS + 1
        wait_until(lambda: not publisher.follows)
        control.status = 200
        publisher.step()
        wait_until(has(control, 2))

    assert [id_ for id_, _ in of(control, "job-job-1")] == ["1"]


def test_requests_are_no_larger_than_the_proxy_takes(control: Control) -> None:
    proxy = Proxy(control.uri)
    small = [content("job-1", number, number - 1, b"x" * 400_000) for number in range(1, 6)]
    large = content("job-1", 6, 5, b"\n" * MOST_BYTES)

    assert proxy.publish([*small, large], lambda: False, Event())

    assert max(control.sizes) <= 1_000_000
    assert [id_ for _, id_, _ in control.ids] == list("123456")
    assert control.items[-1]["formats"] == {"http-stream": {"action": "hint"}}


def test_the_streams_of_tokens_and_links_that_have_ended_are_ended(
    memory: Deployment, control: Control
) -> None:
    site = Site(memory, grip_key=KEY)
    ends = TokenEnds(site.services, [control.uri])
    for name in ("kept", "revoked", "long ago"):
        site.token("read", name=name)
    ids = {each.name: each.id for each in site.services.tokens.all()}
    long_ago = stored_time(site.clock() - timedelta(hours=2))
    site.services.tokens.revoke(ids["long ago"], long_ago)
    site.services.tokens.revoke(ids["revoked"], stored_time(site.clock()))
    site.clock.advance(10)

    ends.step()
    wait_until(has(control, 3))
    ends.close()

    channels = [channel for channel, _, _ in control.ids]
    assert channels[0] == f"token-{ids['revoked']}"
    assert [name.partition("-")[0] for name in channels[1:]] == ["until"] * 2
    assert all(each["formats"] == {"http-stream": {"action": "close"}} for each in control.items)


def test_a_proxy_that_was_away_when_a_token_ended_is_told_of_it_later(
    memory: Deployment, control: Control
) -> None:
    site = Site(memory, grip_key=KEY)
    ends = TokenEnds(site.services, [control.uri])
    site.token("read", name="revoked")
    (token,) = site.services.tokens.all()
    site.services.tokens.revoke(token.id, stored_time(site.clock()))
    site.clock.advance(10)
    control.status = 503
    ends.step()
    wait_until(lambda: control.refused > 0)
    control.status = 200

    def is_told() -> bool:
        ends.step()
        return len(control.items) >= 3

    wait_until(is_told)
    ends.close()

    ended = [channel.partition("-")[0] for channel, _, _ in control.ids]
    assert ended == ["token", "until", "until"]


def test_a_bug_about_one_job_ends_the_streams_of_that_job_and_all_others_go_on(
    memory: Deployment, control: Control, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(memory, grip_key=KEY)
    site.register()
    site.report("job-2", status="provisioning")
    [first, second] = site.services.read_model.log.events(0, 2)
    broken = site.services.reader.instance("job-1")
    other = site.services.reader.instance("job-2")
    assert broken
    assert other
    # No text of JSON can have this character.
    broken = msgspec.structs.replace(broken, region="\ud800")
    readers = HeldReaders(site.services, Proxy(control.uri), lambda: False)

    readers.deliver([News(first, broken), News(second, other)], second.position)

    assert [each["channel"] for each in control.items] == [
        "job-job-1",
        "agent-agent-1",
        "job-job-2",
    ]
    assert control.items[0]["formats"] == {"http-stream": {"action": "close"}}
    assert readers.published == second.position
    assert "no document of 'job-1'" in caplog.text
