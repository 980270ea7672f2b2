"""Reading: one job, many jobs, their history and their past."""
