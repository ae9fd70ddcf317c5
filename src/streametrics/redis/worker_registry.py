"""A worker process says that it is there, so that readiness can be told and a start knows when it is over."""

import os
import socket
import threading
from collections.abc import Callable

from streametrics.redis.client import Live, WorkerPresence

#: Between two signs of life, and after how long without one a worker counts as gone, in seconds.
INTERVAL_S, EXPIRES_S = 3.0, 10.0
#: How long a stopping process waits for a sign of life that is on its way, in seconds.
STOP_S = 2.0


class Presence:
    """Says every few seconds that this process is there, and whether it is warm."""

    def __init__(self, live: Live, stage: str) -> None:
        self._live = live
        self._name = f"{stage}@{socket.gethostname()}:{os.getpid()}"
        self._stage = stage
        self._ready = False
        self._facts: Callable[[], dict[str, str]] = dict
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)

    def start(self) -> None:
        """Begin to announce, as not ready yet."""
        self._announce()
        self._thread.start()

    def ready(self, facts: Callable[[], dict[str, str]]) -> None:
        """From here on this process can work; the facts are for people, and asked for each time."""
        self._ready, self._facts = True, facts
        self._announce()

    def failed(self, reason: str) -> None:
        """This process cannot work, and why."""
        self._ready, self._facts = False, lambda: {"error": reason}
        self._announce()

    def stop(self) -> None:
        """Withdraw at once."""
        self._stopped.set()
        self._thread.join(STOP_S)  # its last word must not come after the withdrawal
        self._live.withdraw(self._name)

    def _run(self) -> None:
        while not self._stopped.wait(INTERVAL_S):
            self._announce()

    def _announce(self) -> None:
        presence = WorkerPresence(self._name, self._stage, self._ready, self._facts())
        self._live.announce(presence, expires_s=EXPIRES_S)


def withdraw_the_dead(live: Live) -> None:
    """Withdraw the processes of this host that are gone. Not for Windows, where the question would kill them.

    A killed process cannot withdraw, and the queue keeps its word on disk: a start right after it would take
    the dead worker for its own, and call itself ready before its model is.
    """
    for worker in live.workers():
        host, _, pid = worker.name.partition("@")[2].rpartition(":")
        if host == socket.gethostname() and not _is_alive(int(pid)):
            live.withdraw(worker.name)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
