"""A view: the first state of its fold, how the fold goes on, and the stored document."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from functools import lru_cache
from typing import Final, Generic, TypeVar

import msgspec
from eventsourcing.persistence import Cipher

from domain.errors import MilepostError
from domain.job.events import JobEvent
from projections.views import first_shape, instance, timeline
from projections.views.instance import Instance
from projections.views.timeline import Timeline

State = TypeVar("State", bound=Instance | Timeline)

SHORT: Final = 2048
"""No state of a longer document is kept: a state may take many times its document."""


class UnreadableDocument(MilepostError):
    """A document of the read model cannot be read; the events it was folded from still can."""


class View(Generic[State]):
    """A fold over one job's events, and its state as a stored document.

    Documents are JSON; with a cipher, base64 of the encrypted JSON. `upgraded` completes the state
    of a document of an earlier shape. `remembered` is how many states of short documents the view
    keeps: a page that polls reads the same document again and again.
    """

    def __init__(
        self,
        name: str,
        state: type[State],
        evolve: Callable[[State, JobEvent], State],
        passed_over: Callable[[State, int, int], State],
        cipher: Cipher | None,
        upgraded: Callable[[State, bytes], State] = lambda state, _: state,
        remembered: int = 0,
    ) -> None:
        self.name = name
        self._upgraded: Callable[[State, bytes], State] = upgraded
        self.evolve: Callable[[State, JobEvent], State] = evolve
        self.passed_over: Callable[[State, int, int], State] = passed_over
        self._initial = state
        self._cipher = cipher
        self._encoder = msgspec.json.Encoder()
        self._decoder: msgspec.json.Decoder[State] = msgspec.json.Decoder(state)
        self._recent = lru_cache(remembered)(self._state_of)

    def dump(self, state: State) -> str:
        """Return the document to store."""
        document = self._encoder.encode(state)
        if self._cipher:
            document = b64encode(self._cipher.encrypt(document))
        return document.decode()

    def load(self, job_id: str, document: str | None) -> State:
        """Return the state of a stored document; the first state if `document` is None.

        Raises `UnreadableDocument` if the document is not of this view, or is encrypted with
        another key.
        """
        if document is None:
            return self._initial(job_id)
        if len(document) <= SHORT:
            return self._recent(job_id, document)
        return self._state_of(job_id, document)

    def _state_of(self, job_id: str, document: str) -> State:
        try:
            plain = str(document).encode()  # in SQLite it may be bytes
            if self._cipher:
                plain = self._cipher.decrypt(b64decode(plain))
            state: State = self._decoder.decode(plain)
        except ValueError as error:  # base64, the cipher and msgspec raise it
            raise UnreadableDocument(f"{self.name} of {job_id!r}: {error}") from error
        return self._upgraded(state, plain)


class Views:
    """The two views, over one cipher."""

    def __init__(self, cipher: Cipher | None = None, remembered: int = 0) -> None:
        self.instance = View[Instance](
            "instances",
            Instance,
            instance.evolve,
            instance.passed_over,
            cipher,
            first_shape.upgraded,
            remembered,
        )
        self.timeline = View[Timeline](
            "timelines", Timeline, timeline.evolve, timeline.passed_over, cipher
        )
