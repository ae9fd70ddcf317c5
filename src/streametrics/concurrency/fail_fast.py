"""Fails at once while something is known to be down, so that the calls after the first do not wait for it too."""

import threading
import time
from collections.abc import Callable

#: How long nothing is tried after a failure, in seconds.
REST_S = 1.0
#: How long a trial may take before another call is let through, in seconds.
TRIAL_S = 5.0


class FailFast:
    """Remembers for a moment that something is down; then one call tries it, and the others go on failing. Thread-safe.

    clock: monotonic seconds, for tests.
    """

    def __init__(
        self, *, rest_s: float = REST_S, trial_s: float = TRIAL_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rest_s, self._trial_s = rest_s, trial_s
        self._clock = clock
        self._lock = threading.Lock()
        self._try_again_at: float | None = None

    @property
    def is_down(self) -> bool:
        """Tell whether the last call has failed; changes nothing."""
        return self._try_again_at is not None

    @property
    def is_resting(self) -> bool:
        """Tell whether a call would be refused now; changes nothing."""
        return self._try_again_at is not None and self._clock() < self._try_again_at

    def allows(self) -> bool:
        """Tell whether a call may go ahead; whoever hears yes says afterwards how it went."""
        with self._lock:
            if self._try_again_at is None:
                return True
            if self._clock() < self._try_again_at:
                return False
            self._try_again_at = self._clock() + self._trial_s
            return True

    def failed(self) -> None:
        """Note that a call found it down."""
        with self._lock:
            self._try_again_at = self._clock() + self._rest_s

    def succeeded(self) -> None:
        """Note that a call went well."""
        with self._lock:
            self._try_again_at = None
