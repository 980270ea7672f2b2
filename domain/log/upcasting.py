"""Shapes of facts: which topic each is stored under, and how an old shape becomes today's.

What is stored is never rewritten. A row keeps its topic and its bytes; it is read through the
upcasters from its shape on, one after the other, into the class that there is now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from domain.job.events import CATALOGUE, Fact

Fields = dict[str, Any]
"""A fact's stored JSON object: times are text, absent fields are absent."""


class UnknownTopic(ValueError):
    """No fact is stored under this topic, in no release up to this one."""


class Upcaster(NamedTuple):
    """The step from an old shape to the one after it: its topic, and what changes in the fields."""

    becomes: str
    change: Callable[[Fields], Fields]


UPCASTERS: dict[str, Upcaster] = {}
"""By the old shape's topic. Empty: every shape that was ever stored is still today's."""


class Shapes:
    """Reads what any release has stored, and names what this one stores."""

    def __init__(
        self, catalogue: Mapping[str, type[Fact]], upcasters: Mapping[str, Upcaster]
    ) -> None:
        self._topics = {fact: topic for topic, fact in catalogue.items()}
        self._decoders: dict[str, msgspec.json.Decoder[Fact]] = {
            topic: msgspec.json.Decoder(fact) for topic, fact in catalogue.items()
        }
        self._upcasters = upcasters
        for topic in upcasters:
            # A step that leads nowhere, or round, is found when the program starts.
            self.becomes(topic)

    def topic(self, fact: Fact) -> str:
        """Return the topic that a fact is stored under."""
        return self._topics[type(fact)]

    def topics(self, facts: Iterable[type[Fact]]) -> list[str]:
        """Return every topic under which these facts are or were stored."""
        today = {self._topics[fact] for fact in facts}
        return sorted(t for t in (*self._decoders, *self._upcasters) if self.becomes(t) in today)

    def becomes(self, topic: str) -> str:
        """Return the topic of today's shape of what was stored under this one.

        Raises `UnknownTopic`.
        """
        followed: set[str] = set()
        while topic in self._upcasters and topic not in followed:
            followed.add(topic)
            topic = self._upcasters[topic].becomes
        if topic not in self._decoders:
            raise UnknownTopic(f"unknown event {topic!r}")
        return topic

    def read(self, topic: str, plain: bytes) -> Fact:
        """Return the fact; raise `UnknownTopic`, or what an unreadable one raises."""
        decoder = self._decoders.get(topic)
        if decoder is not None:
            return decoder.decode(plain)
        return self._decoders[self.becomes(topic)].decode(self._upcast(topic, plain))

    def _upcast(self, topic: str, plain: bytes) -> bytes:
        fields: Fields = msgspec.json.decode(plain, type=dict)
        while upcaster := self._upcasters.get(topic):
            topic, fields = upcaster.becomes, upcaster.change(fields)
        # Through JSON again, so that the result is held to the same rules as what is stored.
        return msgspec.json.encode(fields)


SHAPES = Shapes(CATALOGUE, UPCASTERS)
