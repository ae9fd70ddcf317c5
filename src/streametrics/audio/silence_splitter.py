"""Splits a recording at quiet places into parts of about a minute. No I/O: samples in, positions out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streametrics.audio.pcm import SAMPLE_RATE_HZ

#: Loudness is measured, and cuts are made, in steps of this many samples (20 ms).
_HOP = SAMPLE_RATE_HZ // 50
#: Length of the quietest place, in hops: 0.3 s, longer than the closure of a consonant.
_QUIET_HOPS = 15

#: Where a cut may be after the last one, and the rest that makes a part of its own, as shares of the target length.
EARLIEST_CUT, LATEST_CUT, SHORTEST_REST = 0.75, 1.25, 0.25


@dataclass(frozen=True, slots=True)
class RecordingPart:
    """A stretch of the recording, in samples: from `start` up to, not including, `end`."""

    start: int
    end: int

    @property
    def start_s(self) -> float:
        return self.start / SAMPLE_RATE_HZ

    @property
    def end_s(self) -> float:
        return self.end / SAMPLE_RATE_HZ


class SilenceSplitter:
    """Splits blocks of any size into parts; how the blocks are cut makes no difference.

    A cut is made in the middle of the quietest 0.3 s between 0.75 and 1.25 times `target_s` after the last
    one. A part is returned once a quarter of the target has followed it: a shorter rest is joined to the
    part before, so parts are at most 1.25 times the target long, the last one 1.5 times. target_s: seconds,
    at least 2.
    """

    def __init__(self, target_s: float = 60.0) -> None:
        if target_s < 2:
            raise ValueError("a part must be at least 2 s long")
        target_hops = target_s * SAMPLE_RATE_HZ / _HOP
        self._earliest, self._latest = int(EARLIEST_CUT * target_hops), int(LATEST_CUT * target_hops)
        self._target_hops = target_hops
        self._shortest = int(SHORTEST_REST * target_hops) * _HOP
        self._samples = 0
        self._start, self._returned = 0, 0
        self._energies: list[int] = []  # of the whole hops since `_start`
        self._rest: NDArray[np.int16] = np.empty(0, np.int16)

    def feed(self, block: NDArray[np.int16]) -> list[RecordingPart]:
        """Feed samples, shape (samples,), int16; returns the parts that are final now."""
        self._samples += block.size
        joined = np.concatenate((self._rest, block))
        whole = joined.size // _HOP * _HOP
        self._rest = joined[whole:].copy()
        hops = joined[:whole].reshape(-1, _HOP).astype(np.int64)
        self._energies.extend((hops * hops).sum(axis=1).tolist())
        parts: list[RecordingPart] = []
        while True:
            if self._start > self._returned and self._samples - self._start >= self._shortest:
                parts.append(RecordingPart(self._returned, self._start))
                self._returned = self._start
            if self._samples - self._start <= self._latest * _HOP:
                return parts
            cut = self._quietest()
            self._start += cut * _HOP
            del self._energies[:cut]

    def finish(self) -> list[RecordingPart]:
        """End the recording; returns the part or two that are left, none where there were no samples."""
        if self._samples == self._returned:
            return []
        if self._start > self._returned and self._samples - self._start >= self._shortest:
            return [RecordingPart(self._returned, self._start), RecordingPart(self._start, self._samples)]
        return [RecordingPart(self._returned, self._samples)]

    def _quietest(self) -> int:
        """Find the quietest place, in hops from the last cut; of equals, the one nearest to the target."""
        energies = np.array(self._energies[self._earliest : self._latest], np.int64)
        sums = np.concatenate(([0], np.cumsum(energies)))
        windows = sums[_QUIET_HOPS:] - sums[:-_QUIET_HOPS]
        cuts = self._earliest + np.flatnonzero(windows == windows.min()) + _QUIET_HOPS // 2
        return int(cuts[np.argmin(np.abs(cuts - self._target_hops))])
