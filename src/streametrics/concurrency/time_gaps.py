"""Notices gaps in time: the machine slept, or everything on it was frozen, and clocks went on."""

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

#: So many gaps are remembered.
MOST_GAPS = 1000


@dataclass(frozen=True, slots=True)
class _Gap:
    begin: float
    end: float
    ended_at: float


class TimeGaps:
    """Remembers the gaps between two calls of `note` that are longer than `least_s` seconds. Not thread-safe.

    A sleep shows in the wall clock alone, on Windows and where a container was frozen in both clocks.
    clock, wall: for tests; seconds, monotonic and since 1970.
    """

    def __init__(
        self,
        least_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._least_s, self._clock, self._wall = least_s, clock, wall
        self._gaps: deque[_Gap] = deque(maxlen=MOST_GAPS)
        self.begin()

    def begin(self) -> None:
        """Begin to notice gaps from now on."""
        self._noted_at, self._noted_wall = self._clock(), self._wall()

    def note(self) -> float:
        """Note that this process runs; returns the length of the gap that has just ended, 0 where there was none."""
        now, wall = self._clock(), self._wall()
        pause_s = max(now - self._noted_at, wall - self._noted_wall)
        self._noted_at, self._noted_wall = now, wall
        if pause_s < self._least_s:
            return 0.0
        self._gaps.append(_Gap(wall - pause_s, wall, now))
        return pause_s

    @property
    def awake_s(self) -> float:
        """Seconds since the last gap, infinite where there was none."""
        return self._clock() - self._gaps[-1].ended_at if self._gaps else math.inf

    def include(self, age_s: float) -> bool:
        """Tell whether the moment `age_s` seconds ago lies in a gap."""
        moment = self._wall() - age_s
        return any(gap.begin <= moment <= gap.end for gap in self._gaps)

    def slept_s(self, within_s: float) -> float:
        """Sum up the gaps of the last `within_s` seconds, in which they themselves do not count."""
        since = self._clock() - within_s
        return sum(gap.end - gap.begin for gap in self._gaps if gap.ended_at >= since)
