"""Transfer: export a log to a file and import it into another store."""
