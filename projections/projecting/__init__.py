"""Projecting: follow the log, write the rows, and do the chores beside."""
