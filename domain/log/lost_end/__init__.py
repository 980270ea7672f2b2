"""A lost end of the log: noticing it, and recording it until an operator acknowledges it."""
