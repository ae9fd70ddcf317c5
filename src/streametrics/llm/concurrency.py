"""Limits concurrent calls to a model server: SUMMARIZER_CONCURRENCY at once in this process.

A live chunk is worth something for half a minute, a recording of hours makes a hundred calls: so urgent calls come
first. The others come in order; a plain semaphore would let one that calls again and again overtake them.
"""

import contextlib
import functools
import heapq
import itertools
import threading
from collections.abc import Callable, Iterator

from streametrics.llm.http import POLL_INTERVAL_S


class ConcurrencyLimiter:
    """Gives out slots for calls to one server; urgent calls first, the others in order."""

    def __init__(self, concurrency: int) -> None:
        self._free = concurrency
        self._changed = threading.Condition()
        self._tickets = itertools.count()
        #: A heap of waiting calls, the next one first: (is not urgent, ticket).
        self._waiting: list[tuple[bool, int]] = []

    @contextlib.contextmanager
    def slot(self, on_wait: Callable[[], None], *, urgent: bool = False) -> Iterator[None]:
        """Hold a slot for the block. `on_wait` is called while waiting for one, and may raise to give up."""
        self._take(on_wait, urgent)
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()

    def _take(self, on_wait: Callable[[], None], urgent: bool) -> None:
        with self._changed:
            mine = (not urgent, next(self._tickets))
            heapq.heappush(self._waiting, mine)
        try:
            while not self._taken(mine):
                on_wait()
        except BaseException:
            with self._changed:
                self._waiting.remove(mine)
                heapq.heapify(self._waiting)
                self._changed.notify_all()
            raise

    def _taken(self, mine: tuple[bool, int]) -> bool:
        """Wait up to POLL_INTERVAL_S for the slot; returns whether it was taken."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._free > 0 and self._waiting[0] == mine, timeout=POLL_INTERVAL_S):
                return False
            heapq.heappop(self._waiting)
            self._free -= 1
            self._changed.notify_all()  # another slot may be free, and its taker has looked already
            return True


@functools.cache
def limiter_for(url: str, concurrency: int) -> ConcurrencyLimiter:
    """Return the limiter that all models at this address share."""
    return ConcurrencyLimiter(concurrency)
