"""Commands that prove that nobody has changed what was recorded."""
