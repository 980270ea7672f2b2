"""The runs of a job, each with its attempt: what belongs to which, and what that means."""
