"""Reading the log: every way to ask for events, once per kind of database."""
