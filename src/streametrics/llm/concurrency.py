"""Who may call a model server now: SUMMARIZER_CONCURRENCY calls at once in this process, whoever makes them.

A live chunk is worth something for half a minute, a recording of hours makes a hundred calls: so urgent calls come
first. The others come in their order; a plain semaphore would let one that calls again and again overtake them.
"""

import contextlib
import functools
import heapq
import itertools
import threading
from collections.abc import Callable, Iterator

from streametrics.llm.http import BEAT_S


class Turns:
    """Turns at one server."""

    def __init__(self, concurrency: int) -> None:
        self._free = concurrency
        self._changed = threading.Condition()
        self._tickets = itertools.count()
        #: Those who wait, the next one first: (can wait, ticket).
        self._waiting: list[tuple[bool, int]] = []

    @contextlib.contextmanager
    def one(self, beat: Callable[[], None], *, urgent: bool = False) -> Iterator[None]:
        """Wait for a turn and keep it for the block. `beat` is called while it waits, and may raise to leave."""
        self._take(beat, urgent)
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()

    def _take(self, beat: Callable[[], None], urgent: bool) -> None:
        with self._changed:
            mine = (not urgent, next(self._tickets))
            heapq.heappush(self._waiting, mine)
        try:
            while not self._taken(mine):
                beat()
        except BaseException:
            with self._changed:
                self._waiting.remove(mine)
                heapq.heapify(self._waiting)
                self._changed.notify_all()
            raise

    def _taken(self, mine: tuple[bool, int]) -> bool:
        """Whether the turn came within a beat."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._free > 0 and self._waiting[0] == mine, timeout=BEAT_S):
                return False
            heapq.heappop(self._waiting)
            self._free -= 1
            self._changed.notify_all()  # another turn may be free, and its taker has looked already
            return True


@functools.cache
def at(url: str, concurrency: int) -> Turns:
    """The same ones for every model at that address."""
    return Turns(concurrency)
