"""A running Milepost as any program sees it: over HTTP, with the standard library.

`server` asks and says what went wrong, `blocks` reads server-sent events, and `following` watches a
stream and resumes it. This room knows no more of Milepost than HTTP shows.
"""
