"""Keeps a minimum of free disk space: what an upload announces is reserved for it, so that the sum counts."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from streametrics.errors import StorageFull


class DiskSpace:
    """Reserves disk space for uploads, above a floor that stays free. Thread-safe; one per process.

    free_bytes: what the disk has left now. Other programs write there too, so it is asked before every write.
    """

    def __init__(self, floor_bytes: int, free_bytes: Callable[[], int]) -> None:
        self._floor_bytes = floor_bytes
        self._free_bytes = free_bytes
        self._lock = threading.Lock()
        self._reserved_bytes = 0

    def reserve(self, size_bytes: int) -> "Reservation":
        """Reserve space. Raises StorageFull where less than the floor would stay free."""
        self._reserve(size_bytes)
        return Reservation(self, size_bytes)

    def _reserve(self, more_bytes: int) -> None:
        free_bytes = self._free_bytes()
        with self._lock:
            if free_bytes - self._reserved_bytes - more_bytes < self._floor_bytes:
                raise StorageFull(
                    f"Less than {self._floor_bytes / 1e6:,.0f} MB of the disk would be left free (MIN_FREE_DISK_MB), "
                    "so nothing was accepted: free some space in DATA_DIR, or try again later."
                )
            self._reserved_bytes += more_bytes

    def _release(self, size_bytes: int) -> None:
        with self._lock:
            self._reserved_bytes -= size_bytes


class Reservation:
    """The reserved space of one upload; grows when more comes than was announced. Used by one thread at a time."""

    def __init__(self, disk_space: DiskSpace, size_bytes: int) -> None:
        self._disk_space = disk_space
        self._left_bytes = size_bytes

    @contextmanager
    def writing(self, size_bytes: int) -> Iterator[None]:
        """Account for the write of so many bytes in this block. Raises StorageFull before it."""
        missing_bytes = max(0, size_bytes - self._left_bytes)
        self._disk_space._reserve(missing_bytes)
        self._left_bytes += missing_bytes
        yield
        # They are on the disk now, which counts them itself.
        self._left_bytes -= size_bytes
        self._disk_space._release(size_bytes)

    def release(self) -> None:
        """Release what is left of it; harmless twice."""
        left_bytes, self._left_bytes = self._left_bytes, 0
        self._disk_space._release(left_bytes)
