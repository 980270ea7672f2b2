"""The log: how events are stored, read and recalled on memory, SQLite and PostgreSQL."""
