"""The reporter, run as workflows run it, against servers that answer well, badly and not at all."""
