"""Shapes of facts: the topic of each fact, and the way from an old shape to the present one.

Milepost never rewrites a stored event: the topic and the bytes stay. It reads an old event through
the upcasters, one after the other from the event's shape on, into the present class.
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
    """The step from an old shape to the next: the next topic, and the change of the fields."""

    becomes: str
    change: Callable[[Fields], Fields]


UPCASTERS: dict[str, Upcaster] = {}
"""Upcasters by the topic of the old shape. Empty, because no released shape has changed yet."""


class Shapes:
    """Reads facts that any release has stored, and knows the topics of this release."""

    def __init__(
        self, catalogue: Mapping[str, type[Fact]], upcasters: Mapping[str, Upcaster]
    ) -> None:
        self._topics = {fact: topic for topic, fact in catalogue.items()}
        self._decoders: dict[str, msgspec.json.Decoder[Fact]] = {
            topic: msgspec.json.Decoder(fact) for topic, fact in catalogue.items()
        }
        self._upcasters = upcasters
        for topic in upcasters:
            # Raise at start, not at a read, if a chain of upcasters ends at no fact or in a circle.
            self.becomes(topic)

    def topic(self, fact: Fact) -> str:
        """Return the topic under which a fact is stored."""
        return self._topics[type(fact)]

    def topics(self, facts: Iterable[type[Fact]]) -> list[str]:
        """Return every topic under which these facts are or were stored."""
        today = {self._topics[fact] for fact in facts}
        return sorted(t for t in (*self._decoders, *self._upcasters) if self.becomes(t) in today)

    def becomes(self, topic: str) -> str:
        """Return the topic of the present shape of events with this topic.

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
        """Return the fact; raise `UnknownTopic`, or the decoder's or an upcaster's error."""
        decoder = self._decoders.get(topic)
        if decoder is not None:
            return decoder.decode(plain)
        return self._decoders[self.becomes(topic)].decode(self._upcast(topic, plain))

    def _upcast(self, topic: str, plain: bytes) -> bytes:
        fields: Fields = msgspec.json.decode(plain, type=dict)
        while upcaster := self._upcasters.get(topic):
            topic, fields = upcaster.becomes, upcaster.change(fields)
        # Encode it as JSON again, so the result must fulfil the same rules as a stored fact.
        return msgspec.json.encode(fields)


SHAPES = Shapes(CATALOGUE, UPCASTERS)
