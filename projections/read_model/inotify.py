"""Linux' inotify, for which Python has no module: the kernel tells what happens to a file."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Final

IN_CLOSE_WRITE: Final = 0x00000008
IN_DONT_FOLLOW: Final = 0x02000000


def closings_after_writing(path: Path) -> int | None:
    """Return a descriptor that is readable once a process closes the file that it may write to.

    None if the system has no inotify or no more of it (`fs.inotify.max_user_instances`), or if this
    account may not read the file. A symbolic link is not followed.
    """
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "inotify_init1"):
        return None
    descriptor: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    if descriptor < 0:
        return None
    if libc.inotify_add_watch(descriptor, os.fsencode(path), IN_CLOSE_WRITE | IN_DONT_FOLLOW) < 0:
        os.close(descriptor)
        return None
    return descriptor
