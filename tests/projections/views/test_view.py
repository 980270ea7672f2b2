"""A view remembers states of short documents, and nothing of what it could not read."""

from __future__ import annotations

import msgspec
import pytest

from projections.views.instance import Instance
from projections.views.view import SHORT, UnreadableDocument, Views

INSTANCE = Instance("job", 3, 5, 1, "agent")


def test_the_state_of_a_short_document_is_read_once() -> None:
    view = Views(remembered=2).instance
    document = view.dump(INSTANCE)

    first = view.load("job", document)
    again = view.load("job", "".join(document))

    assert first == INSTANCE
    assert again is first


def test_another_document_has_another_state() -> None:
    view = Views(remembered=2).instance
    other = msgspec.structs.replace(INSTANCE, version=4)

    loaded = [view.load("job", view.dump(each)) for each in (INSTANCE, other, INSTANCE)]

    assert loaded == [INSTANCE, other, INSTANCE]


def test_neither_a_long_document_nor_one_more_than_its_number_is_remembered() -> None:
    view = Views(remembered=2).instance
    wide = view.dump(msgspec.structs.replace(INSTANCE, region="x" * SHORT))
    documents = [view.dump(msgspec.structs.replace(INSTANCE, version=n)) for n in range(3)]

    assert view.load("job", wide) is not view.load("job", wide)
    first = view.load("job", documents[0])
    for document in documents:
        view.load("job", document)
    assert view.load("job", documents[0]) is not first


def test_an_unreadable_document_is_unreadable_each_time() -> None:
    view = Views(remembered=2).instance

    for _ in range(2):
        with pytest.raises(UnreadableDocument):
            view.load("job", "{")
