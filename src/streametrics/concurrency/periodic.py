"""Runs one action again and again in a daemon thread."""

import contextlib
import threading
from collections.abc import Callable

from streametrics.concurrency.background import BackgroundPart, background_parts


class PeriodicThread:
    """Calls `action` every `period_s` seconds until it is stopped; the first time one period after its start.

    It outlives whatever goes wrong in one round: the error is logged, readiness tells of it, and the next round tries
    again. part: the name under which readiness does; the thread's own by default.
    """

    def __init__(self, name: str, action: Callable[[], None], period_s: float, *, part: str | None = None) -> None:
        #: Set once the thread is asked to stop.
        self.stopped = threading.Event()
        self._action = action
        self._period_s = period_s
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._part = BackgroundPart(part or name, log_name=name, has_ended=self._has_ended)

    def start(self) -> None:
        """Start the thread; once only."""
        background_parts.add(self._part)
        self._thread.start()

    def stop(self, *, wait_s: float | None = 0.0) -> None:
        """Ask for no further round, and wait for the present one to end, None without a limit.

        A round may stop its own thread, which then ends with this round.
        """
        self.stopped.set()
        background_parts.discard(self._part)
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(wait_s)

    def _has_ended(self) -> bool:
        return self._thread.ident is not None and not self._thread.is_alive()

    def _run(self) -> None:
        while not self.stopped.is_set():
            # Whatever kind of error it is: a thread that ends takes its part of the service with it, unseen.
            with contextlib.suppress(BaseException):
                self._run_rounds()

    def _run_rounds(self) -> None:
        pause_s = self._period_s
        while not self.stopped.wait(pause_s):
            self._part.begins()
            try:
                self._action()
            except BaseException as error:  # noqa: BLE001 - SystemExit would end this thread without a word
                pause_s = min(self._part.failed(error), self._period_s)
            else:
                self._part.succeeded()
                pause_s = self._period_s
