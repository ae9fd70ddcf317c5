"""Reads the frames of an open container, and notes what is missing. Runs in the decoding child only."""

from collections.abc import Iterator
from typing import cast

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from streametrics.audio.frame_headers import mp3_frame_bytes

#: Rates outside of this are damage, and one packet at 1 Hz would unfold to an hour.
_SAMPLE_RATES_HZ = range(1000, 768_001)


class FrameReader:
    """Reads the frames of one file, and notes what tells that something is missing."""

    def __init__(self, demuxer: str, max_bad_packets: int) -> None:
        self._demuxer, self._max_bad_packets = demuxer, max_bad_packets
        self.bad_packets = 0
        self.source_samples = 0
        self.mp3_frames = 0
        self.last_packet = b""
        self.has_hole = False

    def frames(self, container: InputContainer, streams: list[AudioStream]) -> Iterator[tuple[int, AudioFrame]]:
        """Yield the frames of these streams, each with its stream's place among them."""
        place = {stream.index: position for position, stream in enumerate(streams)}
        pending_bad = [0] * len(streams)
        heard = [False] * len(streams)
        for packet in _packets(container, streams):
            position = place.get(packet.stream_index, 0)
            self._note(packet)
            try:
                frames = packet.decode()
            except av.error.EOFError:
                continue
            except (av.error.InvalidDataError, av.error.PatchWelcomeError, av.error.ArgumentError):
                pending_bad[position] += self._is_hole(packet)
                self.bad_packets += 1
                if self.bad_packets > self._max_bad_packets:
                    break
                continue
            for frame in frames:
                if not isinstance(frame, AudioFrame) or not frame.samples:
                    continue
                if frame.sample_rate not in _SAMPLE_RATES_HZ:
                    raise ValueError(f"a sample rate of {frame.sample_rate} Hz")
                # A bad packet between two good ones is a hole; before the first one it is a recording that
                # began in the middle of a frame, behind the last one mostly a tag.
                self.has_hole |= pending_bad[position] > 0 and heard[position]
                pending_bad[position], heard[position] = 0, True
                self.source_samples += frame.samples
                yield position, frame

    def _is_hole(self, packet: "Packet[AudioStream]") -> bool:
        """Tell whether a bad packet was sound once: what stands between the frames of an MP3 is a tag."""
        return self._demuxer != "mp3" or mp3_frame_bytes(bytes(packet)) > 0

    def _note(self, packet: "Packet[AudioStream]") -> None:
        if self._demuxer in ("mp3", "aac") and packet.size:
            self.last_packet = bytes(packet)
            self.mp3_frames += mp3_frame_bytes(self.last_packet) > 0


def _packets(container: InputContainer, streams: list[AudioStream]) -> "Iterator[Packet[AudioStream]]":
    """Read all packets of these streams. PyAV stumbles over a stream that appears midway, as in broadcasts."""
    while True:
        try:
            yield from cast("Iterator[Packet[AudioStream]]", container.demux(*streams))
            return
        except IndexError:
            continue  # one packet of the new stream is gone; asked again, PyAV knows it and leaves it out
