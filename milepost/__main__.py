"""`python -m milepost` is the `milepost` command."""

from milepost import run

# A spawned worker imports this module again, under another name.
if __name__ == "__main__":
    run()
