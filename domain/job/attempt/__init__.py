"""One attempt of a job: its state, and the pure fold of the facts that belong to it."""
