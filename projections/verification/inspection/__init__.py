"""What verifying reads, on SQLite and PostgreSQL."""
