"""Who caused an event, and how Milepost knows it."""

from __future__ import annotations

from typing import Literal

import msgspec

from projections.reading.entries import Entry

ActorKind = Literal["signature", "token", "name", "milepost"]


class Actor(msgspec.Struct, frozen=True):
    """Who caused an event. Only `id` was proven; `name` is any text that somebody chose.

    | `kind` | `id` | `name` |
    | --- | --- | --- |
    | `signature` | scheme and key, as `x-signature:3f2a90c1` | None |
    | `token` | the token's id, `admin` for that of the settings | the token's name |
    | `name` | None: the command line, or a release that stored no ids | as given |
    | `milepost` | None | None |
    """

    kind: ActorKind
    id: str | None = None
    name: str | None = None

    def __str__(self) -> str:
        """Show a name in quotation marks, so that no name looks like a signature.

        What was proven comes first, because a column may cut off a long name.
        """
        match self.kind:
            case "signature":
                return self.id or ""
            case "token":
                return f"token {self.id} {self.quoted}"
            case "name":
                return self.quoted
            case "milepost":
                return "Milepost"

    @property
    def in_short(self) -> str:
        """The key's digits of a signature, or a name, for a narrow column."""
        return (
            (self.id or "").rpartition(":")[2]
            if self.kind == "signature"
            else self.quoted or str(self)
        )

    @property
    def quoted(self) -> str:
        """The name in quotation marks, or an empty text without a name."""
        return msgspec.json.encode(self.name).decode() if self.name else ""


def actor_of(entry: Entry) -> Actor | None:
    """Return who caused the event; None for an unreadable event and an unsigned callback."""
    fact = entry.fact
    if fact is None:
        return None
    if hasattr(fact, "signed_by"):
        return Actor("signature", fact.signed_by) if fact.signed_by else None
    name = getattr(fact, "requested_by", None)
    if token_id := getattr(fact, "token_id", None):
        return Actor("token", token_id, name)
    return Actor("name", name=name) if name else Actor("milepost")
