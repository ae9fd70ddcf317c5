"""A clock that stands still while the machine sleeps or this process is frozen, for the time limits of work."""

import threading
import time
from collections.abc import Callable

#: A pause between two readings is a gap in time from here on, in seconds; threads of a busy machine wait less.
LEAST_GAP_S = 10.0


class AwakeClock:
    """Counts the seconds in which this process could run. Read it about once a second. Thread-safe.

    On Linux and macOS the monotonic clock stands still in a sleep by itself, on Windows and for a frozen container it
    does not: then it went on and the process computed nothing. Code in C that keeps the interpreter's lock looks the
    same unless it computes; the watchdog and the limits of the task end that. clock, computed: for tests, seconds.
    """

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, computed: Callable[[], float] = time.process_time
    ) -> None:
        self._clock, self._computed = clock, computed
        self._lock = threading.Lock()
        self._read_at, self._computed_s = clock(), computed()
        #: Length of all gaps so far, in seconds.
        self.slept_s = 0.0

    def __call__(self) -> float:
        """Return the seconds since some moment, gaps left out."""
        with self._lock:
            now, computed_s = self._clock(), self._computed()
            pause_s = now - self._read_at
            if pause_s >= LEAST_GAP_S and computed_s - self._computed_s < pause_s / 2:
                self.slept_s += pause_s
            self._read_at, self._computed_s = now, computed_s
            return now - self.slept_s
