"""The drill: a seeded model of what really happens to jobs, and an oracle that knows the truth.

`python -m tests.drill month` plays a month of it on the real code, `python -m tests.drill job SEED`
plays one job again and prints its story. `python -m tests.drill absence` is about real servers and
real minutes.
"""
