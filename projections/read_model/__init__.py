"""The read model: the rows that the projector keeps, on memory, SQLite and PostgreSQL."""
