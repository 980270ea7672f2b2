"""From events to stored rows and back: the topic is the event's own name, the state plain JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from eventsourcing.persistence import Mapper, MapperDeserialisationError, Notification, StoredEvent

from domain.job.events import JobEvent
from domain.log.stored import Stored
from domain.log.upcasting import SHAPES, Shapes, UnknownTopic

_encoder = msgspec.json.Encoder()


class JobEventMapper(Mapper[str]):
    """Writes facts as JSON that an auditor can read; compresses and encrypts it if configured."""

    shapes: Shapes = SHAPES

    def to_stored_event(self, domain_event: Any) -> StoredEvent:
        """Return the row for a `JobEvent`."""
        event: JobEvent = domain_event
        return StoredEvent(
            originator_id=event.originator_id,
            originator_version=event.originator_version,
            topic=self.shapes.topic(event.fact),
            state=self.seal(_encoder.encode(event.fact)),
        )

    def to_domain_event(self, stored_event: StoredEvent) -> JobEvent:
        """Return the event of a row; raise `MapperDeserialisationError` if it cannot be read."""
        position = stored_event.id if isinstance(stored_event, Notification) else 0
        job_id, version = str(stored_event.originator_id), stored_event.originator_version
        return self._event(position, job_id, version, stored_event.topic, stored_event.state)

    def read(self, stored: Stored) -> JobEvent:
        """Return the event of a `Stored` row; raise `MapperDeserialisationError`."""
        position, job_id, version, topic, state = stored
        return self._event(position, str(job_id), version, topic, state)

    def _event(
        self, position: int, job_id: str, version: int, topic: str, state: bytes
    ) -> JobEvent:
        try:
            fact = self.shapes.read(topic, self.unseal(state))
        except UnknownTopic as error:
            raise MapperDeserialisationError(str(error)) from error
        except Exception as error:  # a cipher, a compressor or an upcaster may raise any error
            raise MapperDeserialisationError(f"unreadable {topic}: {error}") from error
        return JobEvent(job_id, version, fact, position)

    @property
    def seals(self) -> bool:
        """True when stored states are not plain JSON."""
        return bool(self.cipher or self.compressor)

    def seal(self, plain: bytes) -> bytes:
        """Compress and encrypt, as configured."""
        if self.compressor:
            plain = self.compressor.compress(plain)
        return self.cipher.encrypt(plain) if self.cipher else plain

    def unseal(self, stored: bytes) -> bytes:
        """Undo `seal`; raise ValueError for bytes that it did not make."""
        if self.cipher:
            stored = self.cipher.decrypt(stored)
        return self.compressor.decompress(stored) if self.compressor else stored


Decoded = Sequence[tuple[Stored, JobEvent | MapperDeserialisationError]]
"""Stored events, each with the decoded event or with the error if it cannot be read."""


def decoded(events: Iterable[Stored], mapper: JobEventMapper) -> Decoded:
    """Decode stored events once for all folds; an unreadable event does not stop the others."""
    read: list[tuple[Stored, JobEvent | MapperDeserialisationError]] = []
    for stored in events:
        try:
            read.append((stored, mapper.read(stored)))
        except MapperDeserialisationError as error:
            read.append((stored, error))
    return read
