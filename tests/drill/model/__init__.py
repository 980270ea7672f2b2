"""The model: what really happened to jobs, and what became of the words about it."""
