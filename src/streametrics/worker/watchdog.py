"""Ends a process whose interpreter lock is held past a limit.

Work in C that keeps the interpreter's lock stops every thread of its process: the lease is renewed no more, signals are
not handled, and neither Celery's limits (solo, threads) nor a thread of ours can end it. So faulthandler's timer, which
runs outside of the interpreter, is armed again every second while there is work; when it expires, it ends the process,
which its supervisor, or Celery's parent, brings back. Its leases are freed by recovery, as after any other death.
"""

import contextlib
import faulthandler
import logging
import sys
import threading
from collections.abc import Iterator
from typing import TextIO

from streametrics.concurrency.periodic import PeriodicThread

#: How much longer than the work's time limit the lock must be held, in seconds: the job has failed by then.
GRACE_S = 5.0
#: Between two armings, in seconds.
INTERVAL_S = 1.0

logger = logging.getLogger(__name__)


class Watchdog:
    """Keeps the timer armed while any block of `watch` runs in this process. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks = 0
        self._thread: PeriodicThread | None = None

    @contextlib.contextmanager
    def watch(self, silence_s: float) -> Iterator[None]:
        """End the process with status 1 when its threads do not run for `silence_s` seconds within the block."""
        with self._lock:
            self._blocks += 1
            if self._blocks == 1:
                self._start(silence_s)
        try:
            yield
        finally:
            with self._lock:
                self._blocks -= 1
                if self._blocks == 0 and self._thread is not None:
                    self._thread.stop()
                    self._thread = None
                    faulthandler.cancel_dump_traceback_later()

    def _start(self, silence_s: float) -> None:
        _arm(silence_s)
        thread = PeriodicThread("watchdog", lambda: self._keep_armed(thread, silence_s), min(INTERVAL_S, silence_s / 4))
        self._thread = thread
        thread.start()

    def _keep_armed(self, thread: PeriodicThread, silence_s: float) -> None:
        with self._lock:
            # The block may have ended since: a timer that is armed then would end a process that waits for work.
            if self._thread is thread:
                _arm(silence_s)


def _arm(silence_s: float) -> None:
    """Arm faulthandler's timer: a thread in C, which writes where each thread stands and ends the process."""
    if (file := _error_output()) is not None:
        faulthandler.dump_traceback_later(silence_s, exit=True, file=file)


def _error_output() -> TextIO | None:
    """Find standard error, where it is a real file; a process without one has no watchdog."""
    for file in (sys.stderr, sys.__stderr__):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            if file is not None and file.fileno() >= 0:
                return file
    return None


#: The one of this process: faulthandler has a single timer.
watchdog = Watchdog()
