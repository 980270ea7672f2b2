"""Reading: one job or many, their histories, and their states in the past."""
