"""Writing: commands that wait are decided and committed together."""
