"""Commands that move events: backup, export, import."""
