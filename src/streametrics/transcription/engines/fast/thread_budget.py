"""Shares the cores of this process among the batches that compute at the same time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class ThreadBudget:
    """Divides the cores evenly: one batch has them all, two have half of them each. Thread-safe."""

    def __init__(self, count: int) -> None:
        self._count, self._batches, self._lock = count, 0, threading.Lock()

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Count a batch that computes in this block."""
        with self._lock:
            self._batches += 1
        try:
            yield
        finally:
            with self._lock:
                self._batches -= 1

    @contextmanager
    def threads(self, most: int | None = None) -> Iterator[None]:
        """Compute in this block on a batch's share of threads, or on `most`: torch keeps the number for each thread.

        On AVX2 the numbers are the same bits on one thread and on two (docs/decisions/0026).
        """
        before, share = torch.get_num_threads(), max(1, self._count // max(1, self._batches))
        _set(share if most is None else min(most, share))
        try:
            yield
        finally:
            _set(before)


def _set(count: int) -> None:
    # Setting it drops what torch has prepared for convolutions.
    if torch.get_num_threads() != count:
        torch.set_num_threads(count)
