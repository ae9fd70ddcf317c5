"""Runs one action again and again in a daemon thread."""

import logging
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)


class PeriodicThread:
    """Calls `action` every `period_s` seconds until it is stopped; the first time one period after its start.

    It outlives whatever goes wrong in one round: the error is logged, and the next round tries again.
    """

    def __init__(self, name: str, action: Callable[[], None], period_s: float) -> None:
        #: Set once the thread is asked to stop.
        self.stopped = threading.Event()
        self._action = action
        self._period_s = period_s
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread; once only."""
        self._thread.start()

    def stop(self, *, wait_s: float | None = 0.0) -> None:
        """Ask for no further round, and wait for the present one to end, None without a limit.

        A round may stop its own thread, which then ends with this round.
        """
        self.stopped.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(wait_s)

    def _run(self) -> None:
        while not self.stopped.wait(self._period_s):
            try:
                self._action()
            except Exception:
                logger.exception("a round of '%s' failed; the next one tries again", self._thread.name)
