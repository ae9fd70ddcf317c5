"""Remembers which background parts of this process fail or hang: for the log, and for readiness."""

import logging
import threading
import time
from collections.abc import Callable

#: A round that runs for longer counts as stuck, in seconds.
STUCK_AFTER_S = 60.0
#: A part that failed runs again after this pause, which doubles with each further failure, in seconds.
RETRY_S = 1.0

logger = logging.getLogger(__name__)


class BackgroundPart:
    """A thread or task that works on its own: notes how its rounds go. Thread-safe.

    name: for people, and told to everybody, so it names no job. log_name: for the log, where it differs.
    has_ended: tells that it is gone for good. clock: for tests; seconds.
    """

    def __init__(
        self,
        name: str,
        *,
        log_name: str | None = None,
        has_ended: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._log_name = log_name or name
        self._has_ended, self._clock = has_ended, clock
        self._lock = threading.Lock()
        self._began_at: float | None = None
        self._failures = 0
        self._error = ""

    @property
    def is_failing(self) -> bool:
        """Tell whether the last round failed."""
        return self._failures > 0

    def begins(self) -> None:
        """Note that a round begins."""
        self._began_at = self._clock()

    def succeeded(self) -> None:
        """Note that a round came to its end."""
        self._began_at = None
        if self._failures:
            with self._lock:
                failures, self._failures = self._failures, 0
            logger.info("event=background_recovered part='%s' failures=%d", self._log_name, failures)

    def failed(self, error: BaseException) -> float:
        """Log what a round raised; returns the pause before the next one, in seconds.

        A part that goes on failing is logged ever more rarely: at its first failure, its second, fourth, eighth …
        """
        with self._lock:
            self._began_at = None
            self._failures += 1
            failures = self._failures
            # What it says may hold an address or a path, and readiness is open to everybody.
            self._error = type(error).__name__
        if failures & (failures - 1) == 0:
            failed = f"a round of '{self._log_name}' failed; the next one tries again"
            if getattr(error, "explains_itself", False):
                logger.error("%s: %s", failed, error)
            else:
                logger.error("%s", failed, exc_info=error)
        return float(RETRY_S * 2 ** min(failures - 1, 10))

    def trouble(self) -> str | None:
        """Say why it does not run; None where it does."""
        with self._lock:
            failures, error, began_at = self._failures, self._error, self._began_at
        if failures:
            return f"failed {failures} times in a row with {error}" if failures > 1 else f"failed with {error}"
        if self._has_ended():
            return "has ended"
        if began_at is not None and (taken_s := self._clock() - began_at) > STUCK_AFTER_S:
            return f"stuck for {taken_s:.0f} s"
        return None


class BackgroundParts:
    """All background parts of one process. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parts: list[BackgroundPart] = []

    def add(self, part: BackgroundPart) -> None:
        """Watch a part from now on."""
        with self._lock:
            self._parts.append(part)

    def discard(self, part: BackgroundPart) -> None:
        """Stop watching a part, which was stopped; harmless twice."""
        with self._lock:
            self._parts = [each for each in self._parts if each is not part]

    def trouble(self) -> str:
        """Name the parts that do not run, each with the reason, as `maintenance (failed with ValueError)`."""
        with self._lock:
            found = {part.name: trouble for part in self._parts if (trouble := part.trouble()) is not None}
        return ", ".join(f"{name} ({trouble})" for name, trouble in sorted(found.items()))


#: Those of this process.
background_parts = BackgroundParts()
