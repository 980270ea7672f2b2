"""The terminal for all commands: output, progress, options, the marks of steps."""
