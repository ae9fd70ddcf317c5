"""`python -m streametrics.decoder_process`: the child that decodes untrusted files, apart from the worker.

FFmpeg's parsers meet bytes that anybody may have sent, so they run here, under limits that the process sets
on itself and cannot lift: memory, no file written, no core, and, while FFmpeg runs, no further file or socket
opened. macOS does not enforce the limit of memory, and Windows has none of these limits; there only the
parent's time limit holds.

The protocol. One JSON line in: {"path", "demuxer", "max_audio_s", "timeout_s"}. Records out, each a kind (1
byte) and a length (4 bytes, big-endian): `R` ready (once, at the start), `P` s16le samples of 16 kHz mono,
then one `E` with JSON: {"duration_s", "truncated"} or {"error": "audio_unreadable" | "audio_too_long",
"detail"}.
"""

import contextlib
import importlib
import io
import json
import os
import pkgutil
import queue
import signal
import struct
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import av
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.filter import Graph
from av.packet import Packet
from av.stream import Discard

from streametrics.containers import DEMUXERS, mp3_frame_bytes
from streametrics.truncation import lacks_bytes, lacks_end, mp3_frames_claimed

if sys.platform != "win32":
    import resource
    import select

#: `transcriber.SAMPLE_RATE_HZ`; that module imports numpy, which this process can do without.
SAMPLE_RATE_HZ = 16_000
RECORD_HEADER = struct.Struct(">cI")

#: Beyond what the process holds when it is ready. An index of 12 h of video takes about 200 MB.
_MEMORY_BYTES = 768 << 20
_MAX_OPEN_FILES = 32
#: More packets than these in one file that do not decode: the rest is not worth the time.
_MAX_BAD_PACKETS = 1000
#: Rates outside of this are damage, and one packet at 1 Hz would unfold to an hour.
_SAMPLE_RATES_HZ = range(1000, 768_001)

#: Of PyAV: its program, and what asks for further libraries.
_NEVER_LOADED = ("av.__main__", "av.datasets")

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


class TooLong(Exception):
    """The file holds more sound than was allowed."""

    code = "audio_too_long"


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
        self.truncated = False

    def blocks(self) -> Iterator[bytes]:
        """s16le samples of 16 kHz mono, about a second in each block. Raises Unreadable."""
        claimed_frames = mp3_frames_claimed(self._file) if self._demuxer == "mp3" else 0
        self.truncated = lacks_bytes(self._file, self._demuxer, self._size_bytes)
        self._file.seek(0)
        try:
            with open_container(self._file, self._demuxer) as container:
                stream = self._audio_stream(container)
                yield from _resampled(self._decoded(container, stream))
                if self._demuxer == "flac" and stream.duration and stream.time_base:
                    expected = stream.duration * stream.time_base * stream.rate
                    self.truncated |= self._source_samples < expected - stream.rate / 10
        except (av.error.FFmpegError, ValueError) as error:
            # Damage that shows before the first sample leaves nothing; later, what was heard counts.
            if not self._source_samples:
                raise Unreadable(f"{type(error).__name__}: {error}") from error
            self.truncated = True
        if not self._source_samples:
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
        if stream.codec_context.name not in _DECODERS.split(","):
            raise Unreadable(f"the codec {stream.codec_context.name} is not accepted")
        stream.codec_context.thread_count = 1  # each thread would count its stack against the limit of memory
        return stream

    def _decoded(self, container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
        pending_bad = 0
        for packet in container.demux(stream):
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


def answer(request: dict[str, Any], out: BinaryIO) -> None:
    """Decode one file into records on `out`."""
    samples, limit = 0, round(request["max_audio_s"] * SAMPLE_RATE_HZ)
    try:
        if request["demuxer"] not in DEMUXERS:
            raise Unreadable(f"the demuxer {request['demuxer']} is not accepted")
        with Path(request["path"]).open("rb") as file, _nothing_opens():
            decode = Decode(file, request["demuxer"])
            for block in decode.blocks():
                samples += len(block) // 2
                if samples > limit:
                    raise TooLong
                for start in range(0, len(block), 2 * SAMPLE_RATE_HZ):
                    _send(out, b"P", block[start : start + 2 * SAMPLE_RATE_HZ])
        end: dict[str, Any] = {"duration_s": samples / SAMPLE_RATE_HZ, "truncated": decode.truncated}
    except (Unreadable, TooLong) as error:
        end = {"error": error.code, "detail": str(error)}
    except OSError as error:
        end = {"error": Unreadable.code, "detail": f"{type(error).__name__}: {error}"}
    _send(out, b"E", json.dumps(end).encode())


def _send(out: BinaryIO, kind: bytes, body: bytes) -> None:
    out.write(RECORD_HEADER.pack(kind, len(body)) + body)
    out.flush()


@contextlib.contextmanager
def _nothing_opens() -> Iterator[None]:
    """While FFmpeg runs, the system gives this process no new file descriptor: no file, no socket."""
    if sys.platform == "win32":
        yield
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, _MAX_OPEN_FILES))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (_MAX_OPEN_FILES, _MAX_OPEN_FILES))


def _limit_this_process() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    if sys.platform == "win32":
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MAX_OPEN_FILES, _MAX_OPEN_FILES))
    statm = Path("/proc/self/statm")
    if statm.exists():
        memory_bytes = int(statm.read_text().split()[0]) * resource.getpagesize() + _MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def _read_requests(requests: queue.SimpleQueue[bytes], parent: int) -> None:
    """Runs in a thread, so that the process ends at once with its parent, also in the middle of a file."""
    while True:
        if sys.platform != "win32" and not select.select([0], [], [], 2)[0]:
            if os.getppid() != parent:
                os._exit(0)
            continue
        line = sys.stdin.buffer.readline()
        if not line:
            os._exit(0)
        requests.put(line)


def _load_everything() -> None:
    """PyAV imports on first use, and no file can be opened then; decoding a moment of silence does the rest."""
    for module in pkgutil.walk_packages(av.__path__, "av."):
        if not module.name.startswith(_NEVER_LOADED):
            importlib.import_module(module.name)
    head = struct.pack("<4sI8sIHHIIHH4sI", b"RIFF", 0, b"WAVEfmt ", 16, 1, 1, 8000, 16_000, 2, 16, b"data", 0)
    for _ in Decode(io.BytesIO(head + bytes(1600)), "wav").blocks():
        pass


def main() -> None:
    """Answer requests until the parent goes away."""
    av.logging.set_level(None)
    _load_everything()
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not get between the records
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read_requests, args=(requests, os.getppid()), daemon=True).start()
    _limit_this_process()
    _send(out, b"R", b"")
    while True:
        request = json.loads(requests.get())
        if sys.platform != "win32":
            # If code in C hangs and the parent is gone: the system ends this process, no handler needed.
            signal.alarm(int(request["timeout_s"]) + 5)
        answer(request, out)
        if sys.platform != "win32":
            signal.alarm(0)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main()
