"""A kit: the parts over one database that are not the log itself."""

from __future__ import annotations

from typing import Any

import msgspec

from api.sessions import SessionStore
from api.tokens import TokenStore
from domain.log.schema.steps import Schema
from domain.log.surroundings.contract import Surroundings
from projections.read_model.contract import ReadModel
from projections.rebuilding.contract import Shadow
from projections.tree.contract import TreeStore
from projections.verification.inspection.contract import Inspection


class Kit(msgspec.Struct, frozen=True):
    """Everything that Milepost stores in the database of one log, beside the log itself."""

    schema: Schema[Any]
    read_model: ReadModel
    shadow: Shadow
    tree: TreeStore
    inspection: Inspection
    tokens: TokenStore
    sessions: SessionStore
    surroundings: Surroundings
