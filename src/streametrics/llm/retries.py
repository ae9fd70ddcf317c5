"""Trying again: what may pass (no connection, silence, 408, 429, 5xx, a broken stream) after waits of 1, 2, 3 times
MISTRAL_RETRY_DELAY; an answer that is none once more, at once; the rest is final.

All tries and waits of a call together take at most MISTRAL_MAX_RETRIES + 1 times MISTRAL_TIMEOUT and those waits:
252 s. Waiting for a turn and loading the model have clocks of their own.
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
from streametrics.llm.http import BEAT_S
from streametrics.llm.warmup import LoadTimeout
from streametrics.settings import Settings

MAY_PASS = (SummarizerUnavailable, SummarizerTimeout, SummarizerBusy)
#: A server that wants to be left alone for longer is asked again after this, in seconds.
LONGEST_RETRY_AFTER_S = 6.0

Found = TypeVar("Found")


class Progress:
    """A second try stays unheard until it is past the first one, so that no reader sees text taken back."""

    def __init__(self, on_answer: Callable[[str, float], None] | None) -> None:
        #: What `on_answer` raised: it wants the call to end, so that no retry may swallow it.
        self.stopped_by: BaseException | None = None
        self._on_answer = on_answer
        self._text = ""
        self._share = 0.0

    def grow(self, text: str, share: float) -> None:
        """text: all of it so far. share: of the tokens that the answer may have, 0…1."""
        self._share = max(self._share, min(share, 1.0))
        if len(text) >= len(self._text):
            self._text = text
        self.beat()

    def beat(self) -> None:
        """While nothing comes: in the queue for a turn, while the model loads, between two tries."""
        if self._on_answer is None:
            return
        try:
            self._on_answer(self._text, self._share)
        except BaseException as error:
            self.stopped_by = error
            raise


class Tries:
    """The tries of one call. wait: called in steps of at most BEAT_S seconds, `progress` hears of each."""

    def __init__(
        self, settings: Settings, progress: Progress, *, wait: Callable[[float], None], clock: Callable[[], float]
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
                elif not isinstance(error, MAY_PASS) or not self._waited_before(attempt):
                    raise
            attempt += 1

    def retry_after(self, seconds: float | None) -> None:
        """The server said when it wants to be asked again."""
        self._retry_after_s = min(seconds or 0.0, LONGEST_RETRY_AFTER_S)

    @contextlib.contextmanager
    def timed(self) -> Iterator[float]:
        """The seconds that a call may take; what the block takes is counted."""
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
            self._progress.beat()
            step = min(BEAT_S, seconds)
            self._wait(step)
            seconds -= step
        return True
