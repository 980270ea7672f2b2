"""The read model in the SQLite file of the events; its twin is `postgres/`, file by file."""
