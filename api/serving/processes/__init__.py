"""The processes of a server: the parent, its workers, and what they say to one another."""
