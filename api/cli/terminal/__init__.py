"""The terminal for all commands: tables, progress, options."""
