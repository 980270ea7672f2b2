"""The read model in the PostgreSQL database of the events; its twin is `sqlite/`, file by file."""
