"""The reads of a verification, on SQLite and PostgreSQL."""
