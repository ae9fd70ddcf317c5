"""Records how the last calls ended: a server that lists its models may still fail at every answer."""

import contextlib
import threading
from collections.abc import Iterator

from streametrics.errors import SummarizerError, SummaryUnusable
from streametrics.llm.progress import AnswerProgress
from streametrics.llm.retries import TRANSIENT_ERRORS


class CallHistory:
    """Counts consecutive failed calls; thread-safe."""

    def __init__(self, failures: int) -> None:
        self._enough = failures
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._last: SummarizerError | None = None
        self._answered = False

    @contextlib.contextmanager
    def record(self, progress: AnswerProgress) -> Iterator[None]:
        """Record how the call in the block ends. A prompt that is too long, or a caller that left, is not counted."""
        try:
            yield
        except (*TRANSIENT_ERRORS, SummaryUnusable) as error:
            if error is not progress.stopped_by:
                with self._lock:
                    self._in_a_row += 1
                    self._last = error
                    self._answered = False
            raise
        with self._lock:
            self._in_a_row, self._last, self._answered = 0, None, True

    def answered(self) -> bool:
        """Tell whether the last call that says anything about the server was answered."""
        with self._lock:
            return self._answered

    def failing(self) -> str | None:
        """`its last 3 calls failed (…)`; None while they do not."""
        with self._lock:
            if self._last is None or self._in_a_row < self._enough:
                return None
            return f"its last {self._in_a_row} calls failed ({str(self._last).rstrip('.')})"
