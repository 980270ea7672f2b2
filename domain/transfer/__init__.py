"""Transfer: the log as a file, out of one store and into another."""
