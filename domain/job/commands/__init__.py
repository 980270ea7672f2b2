"""The commands that a job takes, a file for each who asks: workflows, registrants, people, time."""
