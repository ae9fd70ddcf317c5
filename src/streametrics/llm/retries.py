"""Retries of one call, within one time budget.

Transient errors (no connection, silence, 408, 429, 5xx, a broken stream) are retried after waits of 1, 2, 3 times
MISTRAL_RETRY_DELAY; an unusable answer once, at once; every other error is final.

All tries and waits of a call together take at most MISTRAL_MAX_RETRIES + 1 times MISTRAL_TIMEOUT and those waits:
252 s. Waiting for a slot and loading the model have limits of their own.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import TypeVar

from streametrics.errors import (
    SummarizerBusy,
    SummarizerError,
    SummarizerTimeout,
    SummarizerUnavailable,
    SummaryUnusable,
)
from streametrics.llm.http import POLL_INTERVAL_S
from streametrics.llm.progress import AnswerProgress
from streametrics.llm.warmup import LoadTimeout
from streametrics.settings import Settings

TRANSIENT_ERRORS = (SummarizerUnavailable, SummarizerTimeout, SummarizerBusy)
#: A server that wants to be left alone for longer is asked again after this, in seconds.
MAX_RETRY_AFTER_S = 6.0

Found = TypeVar("Found")


class Retrier:
    """Retries one call. wait: called in steps of at most POLL_INTERVAL_S seconds; `progress` is reported at each."""

    def __init__(
        self, settings: Settings, progress: AnswerProgress, *, wait: Callable[[float], None], clock: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._progress = progress
        self._wait = wait
        self._clock = clock
        self._retry_after_s = 0.0
        retries = settings.mistral_max_retries
        waits_s = settings.mistral_retry_delay * retries * (retries + 1) / 2
        self._left_s = settings.mistral_timeout * (retries + 1) + waits_s

    def run(self, one_try: Callable[[], Found]) -> Found:
        may_be_unusable = True
        attempt = 1
        while True:
            self._retry_after_s = 0.0
            try:
                return one_try()
            except SummarizerError as error:
                if error is self._progress.stopped_by or isinstance(error, LoadTimeout):
                    raise
                if attempt > self._settings.mistral_max_retries:
                    raise
                if isinstance(error, SummaryUnusable) and may_be_unusable:
                    may_be_unusable = False
                elif not isinstance(error, TRANSIENT_ERRORS) or not self._waited_before(attempt):
                    raise
            attempt += 1

    def retry_after(self, seconds: float | None) -> None:
        """Note when the server wants to be asked again."""
        self._retry_after_s = min(seconds or 0.0, MAX_RETRY_AFTER_S)

    @contextlib.contextmanager
    def timed(self) -> Iterator[float]:
        """Yield the seconds that a try may take, and count the time of the block."""
        begun = self._clock()
        try:
            yield min(self._settings.mistral_timeout, self._left_s)
        finally:
            self._left_s -= self._clock() - begun

    def _waited_before(self, attempt: int) -> bool:
        """Wait for the next try; False where no time is left for one."""
        seconds = max(self._settings.mistral_retry_delay * attempt, self._retry_after_s)
        self._left_s -= seconds
        if self._left_s <= 0:
            return False
        while seconds > 0:
            self._progress.on_wait()
            step = min(POLL_INTERVAL_S, seconds)
            self._wait(step)
            seconds -= step
        return True
