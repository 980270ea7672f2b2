"""Writing: waiting commands are decided and committed together."""
