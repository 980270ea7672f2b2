"""The SQL of a rebuild, a file for each database."""
