"""What several commands need of a terminal: tables, progress, options."""
