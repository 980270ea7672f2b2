"""The schema: numbered steps that make the tables, and the record of those that were applied."""
