"""Names the process that holds a lease, and tells on the same machine whether it is stuck or dead.

Work in C that keeps the interpreter's lock stops the lease's thread, and the lease runs out as if the worker had died.
Sent again, such a job would take one worker after another with it.
"""

import os
import socket
from pathlib import Path

#: States in `/proc/<pid>/stat`: a zombie, dead, and stopped by a signal.
_DEAD_OR_STOPPED = ("Z", "X", "T", "t")
#: What stands in the command line of a worker's process, or of its child's.
_WORKERS = (b"celery", b"billiard")


def lease_holder_name(worker: str) -> str:
    """Name this process as a lease holder: `transcribe@host/4711`."""
    return f"{worker}/{os.getpid()}"


def is_on_this_host(held_by: str | None) -> bool:
    """Tell whether this lease holder is, or was, a process of this machine."""
    return _pid_here(held_by) is not None


def is_running_here(held_by: str | None) -> bool:
    """Tell whether this lease holder is a worker's process on this machine that is alive and not stopped.

    False as well where that cannot be known: on another host, or on a system without `/proc`.
    """
    pid = _pid_here(held_by)
    if pid is None:
        return False
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    # The name in brackets may hold anything; the state follows the last bracket.
    state = stat.rpartition(")")[2].split()[0]
    return state not in _DEAD_OR_STOPPED and any(word in command for word in _WORKERS)


def _pid_here(held_by: str | None) -> str | None:
    """Extract the process id, as text, of a lease holder of this machine; None for one of another."""
    node, _, pid = (held_by or "").rpartition("/")
    return pid if pid.isdigit() and node.partition("@")[2] == socket.gethostname() else None
