"""Commands of Milepost that a person copies into a shell, with words that senders have chosen.

A copied command must name exactly the job that it is shown with. Characters that nobody sees are
lost where texts are shown, because pages and terminals write them out, so the shell makes them from
visible ones.
"""

from __future__ import annotations

import re
from shlex import quote

from domain.unseen import UNSEEN

# In an interactive bash, "!" begins an expansion of the history also between double quotes.
SPELT = re.compile(rf"{UNSEEN.pattern}|[\\!]")


def order_line(order: str, job_id: str, server_id: str | None = None) -> str:
    """Return the command that gives an order about a job, and about the machine if one is named."""
    which = f" --server {shell_word(server_id)}" if server_id else ""
    if job_id.startswith("-"):
        # A quoted hyphen begins an option, too.
        return f"milepost {order}{which} -- {shell_word(job_id)}"
    return f"milepost {order} {shell_word(job_id)}{which}"


def shell_word(text: str) -> str:
    """Return visible characters that bash and every POSIX shell read as this text.

    Shells drop line breaks at the end of a text that has unseen characters.
    """
    if UNSEEN.search(text) is None:
        return quote(text)
    # Not $'…': sh of Debian does not know it.
    return f'"$(printf %b {quote(SPELT.sub(_spelt, text))})"'


def _spelt(found: re.Match[str]) -> str:
    return "".join(f"\\0{octet:03o}" for octet in found[0].encode())
