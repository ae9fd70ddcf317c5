"""Aligns the channels of several sound tracks in time, as a file's packets come. No I/O, no heavy imports."""

from collections.abc import Callable, Iterator, Sequence

#: Bytes of a sample, s16le.
_SAMPLE = 2

#: The channels of one block, as s16le samples, all of one length.
Planes = list[bytes]


class TrackAligner:
    """Takes samples of each track as they come, and yields blocks that hold all channels of all tracks.

    channels: how many each track has. block: samples of a block at most. max_lead: so many samples may wait for a track
    from which nothing comes; then it counts as silent. on_pad: told of that silence, by track and in samples.
    """

    def __init__(
        self, channels: Sequence[int], *, block: int, max_lead: int, on_pad: Callable[[int, int], None]
    ) -> None:
        self._waiting = [[bytearray() for _ in range(count)] for count in channels]
        self._block, self._max_lead, self._on_pad = block * _SAMPLE, max_lead * _SAMPLE, on_pad

    def add(self, track: int, planes: Planes) -> Iterator[Planes]:
        """Add samples of a track; yields the blocks that are whole now."""
        for channel, plane in zip(self._waiting[track], planes, strict=True):
            channel += plane
        if len(self._waiting) > 1:
            self._pad(max(len(channels[0]) for channels in self._waiting) - self._max_lead)
        yield from self._take(self._block)

    def finish(self) -> Iterator[Planes]:
        """End the file: yields the rest, in which shorter tracks are silent."""
        self._pad(max(len(channels[0]) for channels in self._waiting))
        yield from self._take(1)

    def _pad(self, length: int) -> None:
        for track, channels in enumerate(self._waiting):
            missing = length - len(channels[0])
            if missing > 0:
                for channel in channels:
                    channel += bytes(missing)
                self._on_pad(track, missing // _SAMPLE)

    def _take(self, at_least: int) -> Iterator[Planes]:
        while (ready := min(len(channels[0]) for channels in self._waiting)) >= at_least and ready:
            size = min(ready, self._block)
            planes = []
            for channels in self._waiting:
                for channel in channels:
                    planes.append(bytes(channel[:size]))
                    del channel[:size]
            yield planes
