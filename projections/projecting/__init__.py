"""Projecting: the process that follows the log and writes the rows."""
