"""The tables of the log, and the statements of a transaction that appends, for each database."""
