"""`milepost demo`: three jobs, played on a running server over HTTP, as their workflows would.

`story` says what happens and when, `server` sends it, `playing` keeps the time. This room knows no
more of Milepost than a sender does, so it is an example of a sender, too.
"""
