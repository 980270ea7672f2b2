"""The schema: numbered steps that make the tables, and the record of the applied steps."""
