"""The cores of this process, shared out among the passes that compute on them at the same time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Cores:
    """Thread-safe. A pass that is alone has them all; two have half of them each, and so on."""

    def __init__(self, count: int) -> None:
        self._count, self._passes, self._lock = count, 0, threading.Lock()

    @contextmanager
    def shared(self) -> Iterator[None]:
        """A pass computes in this block, maybe beside others."""
        with self._lock:
            self._passes += 1
        try:
            yield
        finally:
            with self._lock:
                self._passes -= 1

    @contextmanager
    def taken(self, most: int | None = None) -> Iterator[None]:
        """Compute in this block on this pass's share, or on fewer: torch keeps a number of threads for each thread.

        On AVX2 the numbers are the same bits on one thread and on two (docs/decisions/0026).
        """
        before, share = torch.get_num_threads(), max(1, self._count // max(1, self._passes))
        _set(share if most is None else min(most, share))
        try:
            yield
        finally:
            _set(before)


def _set(threads: int) -> None:
    # Setting it drops what torch has prepared for convolutions.
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
