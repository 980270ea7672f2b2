"""The configuration on the page about failover; the drills, which take minutes, run with it."""

from __future__ import annotations

import pytest
import yaml

from tests.survive import balancer, page
from tests.survive.clusters import member, pair, patroni


@pytest.mark.parametrize("first_line", [pair.FILE, balancer.FILE, "-- once, on the primary"])
def test_the_page_has_what_the_drills_read(first_line: str) -> None:
    assert page.block(first_line).count("\n") > 2


@pytest.mark.parametrize("hosts", ["two", "three"])
def test_the_url_names_each_host_and_wants_the_one_that_takes_writes(hosts: str) -> None:
    found = page.settings(f"# Milepost over {hosts} hosts", {})

    for name in patroni.NAMES[: 2 if hosts == "two" else 3]:
        assert f"{name}:5432" in found["MILEPOST_DATABASE_URL"]
    assert found["MILEPOST_DATABASE_URL"].endswith("?target_session_attrs=read-write")


def test_patroni_lets_no_primary_go_on_alone() -> None:
    decided = yaml.safe_load(page.block(member.FILE))["bootstrap"]["dcs"]

    assert decided["synchronous_mode"] is True
    assert decided["synchronous_mode_strict"] is True
    # Patroni refuses other times.
    assert decided["loop_wait"] + 2 * decided["retry_timeout"] <= decided["ttl"]


def test_servers_drain_for_longer_than_haproxy_takes_to_notice() -> None:
    seconds = int(page.settings("# both servers", {})["MILEPOST_DRAIN_SECONDS"])

    assert "timeout check 2s" in page.block(balancer.FILE)
    assert "inter 500ms fall 2" in page.block(balancer.FILE)
    assert seconds >= 2 * (0.5 + 2)
