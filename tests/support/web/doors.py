"""A site whose client comes through one of its doors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.support.stores.deployment import Deployment
from tests.support.web.front import FrontDoor
from tests.support.web.site import Site


def opened(deployment: Deployment, door: FrontDoor | None, **settings: Any) -> Iterator[Site]:
    """Yield a site with these settings, whose client comes through that door."""
    site = Site(deployment, **settings)
    if door is None:
        yield site
        return
    with door.opened(site.app, site.services) as site.client:
        yield site
