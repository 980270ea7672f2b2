"""Reading lists while a release has not rebuilt the rows of an older one yet."""

from __future__ import annotations

import pytest

from projections.read_model.filters import AttentionFilter
from projections.reading.reader import NotRebuiltYet
from tests.support.stores.deployment import NOON, Deployment


def test_newer_columns_are_not_read_from_rows_of_an_older_release(
    databases: Deployment,
) -> None:
    """Such rows may lack the columns that say so, and the one with the workflow."""
    newer = databases.again("10")

    with pytest.raises(NotRebuiltYet):
        newer.reader.attention(AttentionFilter(now=NOON))
    with pytest.raises(NotRebuiltYet):
        newer.reader.attention_counts(NOON)
    with pytest.raises(NotRebuiltYet):
        newer.reader.last_run("vm@1")
    newer.close()
