"""Whom to believe: the keys that may sign a callback, by the URL that it came to."""

from __future__ import annotations

from collections.abc import Sequence

from api.senders.job_keys import JobKeys
from api.senders.signing_key import SigningKey


class Senders:
    """The keys that may sign callbacks.

    The shared secrets speak for every job, unless they are switched off (`takes_shared`). A job's
    own key counts only at the job's own URL. The keys of `named` senders have mandates. `dated`
    takes only schemes that sign the time.
    """

    def __init__(
        self,
        shared: Sequence[str],
        job_secrets: Sequence[str] = (),
        *,
        takes_shared: bool = True,
        dated: bool = False,
        named: Sequence[SigningKey] = (),
    ) -> None:
        self.takes_shared = takes_shared
        self.dated = dated
        # The shared secrets first: a key that does not fit costs a callback its HMAC.
        self.of_all = (*(map(SigningKey, shared) if takes_shared else ()), *named)
        """The keys that count at every URL for callbacks."""
        self._job_keys = JobKeys(job_secrets)

    def of_job(self, job_id: str) -> tuple[SigningKey, ...]:
        """Return the keys that count at the URL of a job."""
        return (*self._job_keys.of(job_id), *self.of_all)

    def key_of(self, job_id: str) -> str | None:
        """Return the key to give to who registered the job; None if there is no job key secret."""
        keys = self._job_keys.of(job_id)
        return keys[0].secret if keys else None

    def name_all(self) -> None:
        """Compute the names of the secrets now: that is slow by design."""
        for key in (*self.of_all, *self._job_keys.of("")):
            key.name  # noqa: B018  it is computed once, and stays
