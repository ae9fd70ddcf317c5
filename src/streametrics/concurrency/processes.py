"""Tells whether a process is alive."""

import os


def is_alive(pid: int) -> bool:
    """Whether this host has a process of this id, of any user. Not for Windows, where the question would kill it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True
