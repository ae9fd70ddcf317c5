"""`python -m streametrics.audio.sandbox`: the child that decodes untrusted files, apart from the worker.

FFmpeg's parsers meet bytes that anybody may have sent, so they run here, under limits that the process sets
on itself and cannot lift: memory, no file written, no core, and, while FFmpeg runs, no further file or socket
opened. macOS does not enforce the limit of memory, and Windows has none of these limits; there only the
parent's time limit holds.

The protocol. One JSON line in: {"path", "demuxer", "track", "max_audio_s", "max_silence_s", "timeout_s",
"computing_s", "per_block"}; the last two are a `ComputingLimit`, at which the system ends the process (SIGPROF).
Records out, each a kind (1 byte) and a length (4 bytes, big-endian): `R` ready (once, at the start), `T` the tracks as
JSON, with the names of the channels that are decoded of each, `P` s16le samples of 16 kHz, all of the first channel,
then of the next, then one `E` with JSON: {"duration_s", "truncated", "closed"} or {"error": "audio_unreadable" |
"audio_too_long" | "track_missing", "detail", "codec", "tracks"}.
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

from streametrics.audio.pyav import FileDecoder, MissingTrack, UndecodableFile
from streametrics.audio.resampling import SAMPLE_RATE_HZ
from streametrics.audio.sniffing import DEMUXERS

if sys.platform != "win32":
    import resource
    import select

RECORD_HEADER = struct.Struct(">cI")

#: Beyond what the process holds when it is ready. An index of 12 h of video takes about 200 MB.
_MEMORY_BYTES = 768 << 20
_MAX_OPEN_FILES = 32

#: Of PyAV: its program, and what asks for further libraries.
_NEVER_LOADED = ("av.__main__", "av.datasets")


class AudioLimitExceeded(Exception):
    """The file holds more audio than is allowed."""

    code = "audio_too_long"


def answer(request: dict[str, Any], out: BinaryIO) -> None:
    """Decode one file into records on `out`."""
    samples, limit = 0, round(request["max_audio_s"] * SAMPLE_RATE_HZ)
    decode: FileDecoder | None = None
    try:
        if request["demuxer"] not in DEMUXERS:
            raise UndecodableFile(f"the demuxer {request['demuxer']} is not accepted")
        with Path(request["path"]).open("rb") as file, _nothing_opens():
            decode = FileDecoder(
                file, request["demuxer"], track=request["track"], max_silence_s=request["max_silence_s"]
            )
            for planes in decode.blocks():
                if not samples:
                    _send(out, b"T", json.dumps([track.to_json() for track in decode.tracks]).encode())
                samples += len(planes[0]) // 2
                if samples > limit:
                    raise AudioLimitExceeded
                if request["per_block"]:
                    _limit_computing(request["computing_s"])
                _send(out, b"P", b"".join(planes))
        end: dict[str, Any] = {
            "duration_s": samples / SAMPLE_RATE_HZ,
            "truncated": decode.truncated,
            "closed": decode.is_closed,
        }
    except (UndecodableFile, AudioLimitExceeded, MissingTrack) as error:
        end = {"error": error.code, "detail": str(error), "codec": getattr(error, "codec", None)}
        end["tracks"] = [track.to_json() for track in decode.tracks] if decode is not None else []
    except OSError as error:
        end = {"error": UndecodableFile.code, "detail": f"{type(error).__name__}: {error}"}
    _send(out, b"E", json.dumps(end).encode())


def _limit_computing(seconds: float) -> None:
    """End this process once it has computed for so long, whatever code in C it is in; 0 takes the limit away."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _send(out: BinaryIO, kind: bytes, body: bytes) -> None:
    out.write(RECORD_HEADER.pack(kind, len(body)) + body)
    out.flush()


@contextlib.contextmanager
def _nothing_opens() -> Iterator[None]:
    """Forbid new file descriptors while FFmpeg runs: no file, no socket."""
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
    """Read requests in a thread, so that the process ends at once with its parent, even in the middle of a file."""
    try:
        _put_requests(requests, parent)
    finally:
        os._exit(1)  # without this thread the process would wait for ever; its parent starts another


def _put_requests(requests: queue.SimpleQueue[bytes], parent: int) -> None:
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
    """Import all of PyAV and decode some silence: it imports on first use, when no file can be opened any more."""
    for module in pkgutil.walk_packages(av.__path__, "av."):
        if not module.name.startswith(_NEVER_LOADED):
            importlib.import_module(module.name)
    head = struct.pack("<4sI8sIHHIIHH4sI", b"RIFF", 0, b"WAVEfmt ", 16, 1, 1, 8000, 16_000, 2, 16, b"data", 0)
    for _ in FileDecoder(io.BytesIO(head + bytes(1600)), "wav").blocks():
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
        _limit_computing(request["computing_s"])
        answer(request, out)
        _limit_computing(0)
        if sys.platform != "win32":
            signal.alarm(0)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main()
