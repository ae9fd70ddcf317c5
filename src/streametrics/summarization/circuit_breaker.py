"""Circuit breaker around a model server: after repeated failures, calls are refused without waiting.

closed      calls pass; so many failures one after another open it
open        calls are refused at once, for some seconds
half open   one call passes and shows what has changed; the others are still refused
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from streametrics.errors import (
    ModelServerResting,
    SummarizerBusy,
    SummarizerError,
    SummarizerTimeout,
    SummarizerUnavailable,
)

#: Errors that count as failures: they are transient and cost time. Any other refusal comes at once.
COUNTED_ERRORS = (SummarizerUnavailable, SummarizerTimeout, SummarizerBusy)

#: A server that made progress within so many seconds is slow or busy, and has not failed.
RECENT_PROGRESS_S = 10.0


class GuardedCall:
    """One call that the circuit breaker let through."""

    def __init__(self, *, is_probe: bool) -> None:
        self.is_probe = is_probe
        self.is_ignored = False

    def ignore_result(self) -> None:
        """Do not count how the call ends: the server was not asked, or was busy with another call."""
        self.is_ignored = True


class CircuitBreaker:
    """Opens after `failures` failed calls in a row, and stays open for `retry_s` seconds of `clock`. Thread-safe."""

    def __init__(self, failures: int, retry_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._failures = failures
        self._retry_s = retry_s
        self._clock = clock
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._last: SummarizerError | None = None
        #: None while it is closed.
        self._opened_at: float | None = None
        self._probing = False
        self._alive_at: float | None = None

    def rejection(self) -> ModelServerResting | None:
        """Return the error that a call would be refused with now; None where one may pass."""
        with self._lock:
            return self._reason() if self._refuses() else None

    @contextlib.contextmanager
    def guard(self) -> Iterator["GuardedCall"]:
        """Make a call in the block. Raises ModelServerResting instead where the server is left alone.

        A SummarizerError of COUNTED is a failure, any other shows that the server answers; what else is raised (the
        caller stopped the call) says nothing.
        """
        call = GuardedCall(is_probe=self._entered())
        try:
            yield call
        except SummarizerError as error:
            self._ended(call, error)
            raise
        else:
            self._ended(call, None)
        finally:
            self._leave(call)

    def record_progress(self) -> None:
        """Note that some call makes progress: its text grows, or a part of its work is done."""
        with self._lock:
            self._alive_at = self._clock()

    def made_progress_recently(self) -> bool:
        """Tell whether some call made progress within RECENT_PROGRESS_S."""
        with self._lock:
            return self._alive_at is not None and self._clock() - self._alive_at < RECENT_PROGRESS_S

    def _entered(self) -> bool:
        """Let a call in, or refuse it; returns whether it is the one that probes an open breaker."""
        with self._lock:
            if self._refuses():
                raise self._reason()
            self._probing = self._opened_at is not None
            return self._probing

    def _ended(self, call: "GuardedCall", error: SummarizerError | None) -> None:
        with self._lock:
            if call.is_ignored:
                return
            if not isinstance(error, COUNTED_ERRORS):
                self._in_a_row, self._last, self._opened_at = 0, None, None
            else:
                self._in_a_row += 1
                self._last = error
                if self._in_a_row >= self._failures:  # so it is after a probe that failed, too
                    self._opened_at = self._clock()

    def _leave(self, call: "GuardedCall") -> None:
        with self._lock:
            if call.is_probe:
                self._probing = False

    def _refuses(self) -> bool:
        if self._opened_at is None:
            return False
        return self._probing or self._clock() - self._opened_at < self._retry_s

    def _reason(self) -> ModelServerResting:
        last = str(self._last).rstrip(".")
        return ModelServerResting(
            f"The model server failed {self._in_a_row} times in a row (at last: {last}), so it is asked again only"
            f" every {self._retry_s:g} seconds: see its log, or start it again."
        )
