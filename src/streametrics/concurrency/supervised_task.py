"""Runs a task of the event loop that others wait for, and starts it again where it ends by an error."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine

from streametrics.concurrency.background import BackgroundPart, background_parts

#: The longest pause before a task that failed runs again, in seconds.
MAX_PAUSE_S = 30.0
#: How long a stopped task may take to end, in seconds.
STOP_S = 1.0


class SupervisedTask:
    """Runs `body` in a task while there is work for it. For one event loop.

    body: returns once nothing is left to do, and calls `succeeded` after each round. on_failure: called in the event
    loop whenever the body ended by an error or was cancelled, for those who wait for it.
    """

    def __init__(
        self,
        name: str,
        body: Callable[[], Coroutine[None, None, None]],
        *,
        on_failure: Callable[[BaseException], None] = lambda _: None,
    ) -> None:
        self._body, self._on_failure = body, on_failure
        self._part = BackgroundPart(name)
        self._task: asyncio.Task[None] | None = None
        self._restart: asyncio.TimerHandle | None = None
        self._is_stopped = False
        background_parts.add(self._part)

    @property
    def is_failing(self) -> bool:
        """Tell whether the body ended by an error, and no round has succeeded since."""
        return self._part.is_failing

    @property
    def is_resting(self) -> bool:
        """Tell whether the body ended by an error and has not been started again yet."""
        return self._restart is not None

    def succeeded(self) -> None:
        """Note that a round of the body came to its end."""
        self._part.succeeded()

    def ensure_running(self) -> None:
        """Start the body unless it runs; one that failed starts by itself, after its pause."""
        if (self._task is None or self._task.done()) and not self.is_resting and not self._is_stopped:
            self._start()

    def abandon(self, reason: BaseException) -> None:
        """Give up a body that does not come to its end, and start another one after the pause."""
        if (task := self._task) is not None:
            self._task = None
            task.cancel()
            self._fail(reason)

    async def stop(self) -> None:
        """End the body for good, and wait a moment for it."""
        self._is_stopped = True
        background_parts.discard(self._part)
        if self._restart is not None:
            self._restart.cancel()
        if (task := self._task) is not None:
            task.cancel()
            await asyncio.wait({task}, timeout=STOP_S)

    def _start(self) -> None:
        self._restart = None
        self._task = asyncio.get_running_loop().create_task(self._body())
        self._task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        error = asyncio.CancelledError("cancelled") if task.cancelled() else task.exception()
        if error is not None and task is self._task and not self._is_stopped:
            self._task = None
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        pause_s = min(self._part.failed(error), MAX_PAUSE_S)
        if not self.is_resting:
            self._restart = asyncio.get_running_loop().call_later(pause_s, self._start)
        with contextlib.suppress(Exception):
            self._on_failure(error)
