"""Who may call a model server now: SUMMARIZER_CONCURRENCY calls at once in this process, whoever makes them."""

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator

from streametrics.models.exchange import BEAT_S


class Turns:
    """Turns at one server."""

    def __init__(self, concurrency: int) -> None:
        self._free = threading.BoundedSemaphore(concurrency)

    @contextlib.contextmanager
    def one(self, beat: Callable[[], None]) -> Iterator[None]:
        """Wait for a turn and keep it for the block. `beat` is called while it waits, and may raise to leave."""
        while not self._free.acquire(timeout=BEAT_S):
            beat()
        try:
            yield
        finally:
            self._free.release()


@functools.cache
def at(url: str, concurrency: int) -> Turns:
    """The same ones for every model at that address."""
    return Turns(concurrency)
