"""Aligns the lanes of several sound tracks in time, as a file's packets come. No I/O, no heavy imports."""

from collections.abc import Callable, Iterator, Sequence

#: Bytes of a sample, s16le.
_SAMPLE = 2

#: The lanes of one block, as s16le samples, all of one length.
Planes = list[bytes]


class TrackAligner:
    """Takes samples of each track as they come, and yields blocks that hold all lanes of all tracks.

    lanes: how many each track has. block: samples of a block at most. max_lead: so many samples may wait for a track
    from which nothing comes; then it counts as silent. on_pad: told of that silence, by track and in samples.
    """

    def __init__(self, lanes: Sequence[int], *, block: int, max_lead: int, on_pad: Callable[[int, int], None]) -> None:
        self._waiting = [[bytearray() for _ in range(count)] for count in lanes]
        self._block, self._max_lead, self._on_pad = block * _SAMPLE, max_lead * _SAMPLE, on_pad

    def add(self, track: int, planes: Planes) -> Iterator[Planes]:
        """Add samples of a track; yields the blocks that are whole now."""
        for lane, plane in zip(self._waiting[track], planes, strict=True):
            lane += plane
        if len(self._waiting) > 1:
            self._pad(max(len(lanes[0]) for lanes in self._waiting) - self._max_lead)
        yield from self._take(self._block)

    def finish(self) -> Iterator[Planes]:
        """End the file: yields the rest, in which shorter tracks are silent."""
        self._pad(max(len(lanes[0]) for lanes in self._waiting))
        yield from self._take(1)

    def _pad(self, length: int) -> None:
        for track, lanes in enumerate(self._waiting):
            missing = length - len(lanes[0])
            if missing > 0:
                for lane in lanes:
                    lane += bytes(missing)
                self._on_pad(track, missing // _SAMPLE)

    def _take(self, at_least: int) -> Iterator[Planes]:
        while (ready := min(len(lanes[0]) for lanes in self._waiting)) >= at_least and ready:
            size = min(ready, self._block)
            planes = []
            for lanes in self._waiting:
                for lane in lanes:
                    planes.append(bytes(lane[:size]))
                    del lane[:size]
            yield planes
