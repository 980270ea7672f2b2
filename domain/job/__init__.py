"""The job.

This room holds the job's facts, the callbacks that state them and the decisions about what happens
next. It is pure: it knows no database, no event store and no clock.
"""
