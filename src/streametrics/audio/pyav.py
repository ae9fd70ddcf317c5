"""One untrusted file's way from bytes to samples, by PyAV. Runs in the decoding child only (`sandbox`)."""

import os
from collections.abc import Iterator
from typing import BinaryIO

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.filter import Graph
from av.packet import Packet
from av.stream import Discard

from streametrics.audio.sniffing import mp3_frame_bytes
from streametrics.audio.truncation import lacks_bytes, lacks_end, mp3_frames_claimed

#: `pcm.SAMPLE_RATE_HZ`; that module imports numpy, which this process can do without.
SAMPLE_RATE_HZ = 16_000
#: More packets than these in one file that do not decode: the rest is not worth the time.
_MAX_BAD_PACKETS = 1000
#: Rates outside of this are damage, and one packet at 1 Hz would unfold to an hour.
_SAMPLE_RATES_HZ = range(1000, 768_001)
#: The only decoders that FFmpeg may open, so no video decoder ever runs.
_DECODERS = (
    "aac,aac_latm,ac3,eac3,alac,amrnb,amrwb,dca,flac,gsm,gsm_ms,mp1,mp1float,mp2,mp2float,mp3,mp3float,nellymoser,opus,"
    "speex,truehd,vorbis,wavpack,wmalossless,wmapro,wmav1,wmav2,adpcm_ima_qt,adpcm_ima_wav,adpcm_ms,adpcm_swf,"
    "adpcm_yamaha,pcm_alaw,pcm_bluray,pcm_dvd,pcm_f32be,pcm_f32le,pcm_f64be,pcm_f64le,pcm_mulaw,pcm_s8,pcm_s16be,"
    "pcm_s16le,pcm_s24be,pcm_s24le,pcm_s32be,pcm_s32le,pcm_u8"
)


class Unreadable(Exception):
    """The file gives no sound."""

    code = "audio_unreadable"


def open_container(file: BinaryIO, demuxer: str) -> InputContainer:
    """Open `file` with the one demuxer named; no protocol is allowed, so it can open nothing else."""
    options = {
        "protocol_whitelist": "none",
        "format_whitelist": demuxer,
        "codec_whitelist": _DECODERS,
    }
    return av.open(file, "r", format=demuxer, options=options, metadata_errors="replace", buffer_size=1 << 18)


class Decode:
    """One file's way from bytes to blocks of samples.

    `truncated` is to be read after `blocks` has ended: whether sound is missing from the file.
    """

    def __init__(self, file: BinaryIO, demuxer: str) -> None:
        self._file, self._demuxer = file, demuxer
        self._size_bytes = file.seek(0, os.SEEK_END)
        self._bad_packets = 0
        self._frames = 0
        self._last_packet = b""
        self._source_samples = 0
        self._delivered_bytes = 0
        self.truncated = False

    def blocks(self) -> Iterator[bytes]:
        """s16le samples of 16 kHz mono, about a second in each block. Raises Unreadable."""
        claimed_frames = mp3_frames_claimed(self._file) if self._demuxer == "mp3" else 0
        self.truncated = lacks_bytes(self._file, self._demuxer, self._size_bytes)
        self._file.seek(0)
        try:
            with open_container(self._file, self._demuxer) as container:
                stream = self._audio_stream(container)
                for block in _resampled(self._decoded(container, stream)):
                    self._delivered_bytes += len(block)
                    yield block
                if self._demuxer == "flac" and stream.duration and stream.time_base:
                    expected = stream.duration * stream.time_base * stream.rate
                    self.truncated |= self._source_samples < expected - stream.rate / 10
        except (av.error.FFmpegError, ValueError) as error:
            # Damage that shows before the first sample leaves nothing; later, what was heard counts.
            if not self._delivered_bytes:
                raise Unreadable(f"{type(error).__name__}: {error}") from error
            self.truncated = True
        if not self._delivered_bytes:
            raise Unreadable("no packet decodes")
        self.truncated |= lacks_end(self._demuxer, self._last_packet) or claimed_frames > self._frames + 2

    def _audio_stream(self, container: InputContainer) -> AudioStream:
        for other in container.streams:
            if other.type != "audio":
                other.discard = Discard.all
        best = container.streams.best("audio")
        stream = best if isinstance(best, AudioStream) else next(iter(container.streams.audio), None)
        if stream is None:
            raise Unreadable("no audio stream")
        context: AudioCodecContext | None = stream.codec_context
        if context is None or context.name not in _DECODERS.split(","):
            raise Unreadable(f"the codec {context.name if context else 'of the sound'} is not accepted")
        context.thread_count = 1  # each thread would count its stack against the limit of memory
        return stream

    def _decoded(self, container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
        pending_bad = 0
        for packet in _packets(container, stream):
            self._note(packet)
            try:
                frames = packet.decode()
            except av.error.EOFError:
                continue
            except (av.error.InvalidDataError, av.error.PatchWelcomeError, av.error.ArgumentError):
                pending_bad += 1
                self._bad_packets += 1
                if self._bad_packets > _MAX_BAD_PACKETS:
                    break
                continue
            for frame in frames:
                if not isinstance(frame, AudioFrame) or not frame.samples:
                    continue
                if frame.sample_rate not in _SAMPLE_RATES_HZ:
                    raise Unreadable(f"a sample rate of {frame.sample_rate} Hz")
                # A bad packet between two good ones is a hole; before the first one it is a recording that
                # began in the middle of a frame, behind the last one mostly a tag.
                self.truncated |= pending_bad > 0 and self._source_samples > 0
                pending_bad = 0
                self._source_samples += frame.samples
                yield frame

    def _note(self, packet: "Packet[AudioStream]") -> None:
        if self._demuxer in ("mp3", "aac") and packet.size:
            self._last_packet = bytes(packet)
            self._frames += mp3_frame_bytes(self._last_packet) > 0


def _packets(container: InputContainer, stream: AudioStream) -> "Iterator[Packet[AudioStream]]":
    """All packets of one stream. PyAV stumbles over a stream that appears in the middle, as broadcasts have them."""
    while True:
        try:
            yield from container.demux(stream)
            return
        except IndexError:
            continue  # one packet of the new stream is gone; asked again, PyAV knows it and leaves it out


class Resampler:
    """16 kHz mono s16 out of frames of one kind."""

    def __init__(self, frame: AudioFrame) -> None:
        self._graph = Graph()
        self._graph.threads = 1
        source = self._graph.add(
            "abuffer",
            sample_rate=str(frame.sample_rate),
            sample_fmt=frame.format.name,
            channel_layout=frame.layout.name,
            time_base=f"1/{frame.sample_rate}",
        )
        if frame.layout.name.endswith(" channels"):  # nobody says where they belong: each counts the same
            channels = "+".join(f"c{channel}" for channel in range(frame.layout.nb_channels))
            mixed = self._graph.add("pan", f"mono|c0<{channels}")
            source.link_to(mixed)
            source = mixed
        target = self._graph.add("aformat", sample_rates=str(SAMPLE_RATE_HZ), sample_fmts="s16", channel_layouts="mono")
        source.link_to(target)
        target.link_to(self._graph.add("abuffersink"))
        self._graph.configure()

    def push(self, frame: AudioFrame | None) -> Iterator[bytes]:
        """The samples that `frame` (None: the end) makes ready."""
        self._graph.push(frame)
        while True:
            try:
                ready = self._graph.pull()
            except (BlockingIOError, EOFError):
                return
            assert isinstance(ready, AudioFrame)
            yield bytes(ready.planes[0])[: 2 * ready.samples]


def _resampled(frames: Iterator[AudioFrame]) -> Iterator[bytes]:
    """Collects a second of frames first: the filter's calls for every frame would cost more than an MP3's decoding."""
    resampler: Resampler | None = None
    fifo, kind = AudioFifo(), None
    for frame in frames:
        frame.pts = None  # damaged time stamps would make the filter invent or drop samples
        if kind != (kind := (frame.sample_rate, frame.format.name, frame.layout.name)):
            if resampler is not None:
                yield from _flush(fifo, resampler)
            fifo, resampler = AudioFifo(), Resampler(frame)
        fifo.write(frame)
        if fifo.samples >= frame.sample_rate and resampler is not None:
            yield from resampler.push(fifo.read())
    if resampler is not None:
        yield from _flush(fifo, resampler)


def _flush(fifo: AudioFifo, resampler: Resampler) -> Iterator[bytes]:
    rest = fifo.read()
    if rest is not None:
        yield from resampler.push(rest)
    yield from resampler.push(None)
