"""Decodes audio files in a sandboxed child process, in blocks of about a second.

Nothing here holds a whole recording.
"""

import contextlib
import json
import logging
import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

import streametrics
from streametrics.audio.pcm import SAMPLE_RATE_HZ, Pcm
from streametrics.audio.tracks import PLAIN, Track, TrackList, codec_name
from streametrics.errors import (
    AudioStalled,
    AudioTooLong,
    AudioUnreadable,
    InternalError,
    StreametricsError,
    TimedOut,
    TrackMissing,
)

logger = logging.getLogger(__name__)


#: What the child may know of this process's environment: enough to start Python, no key and no address.
_ENVIRONMENT = (
    "PATH",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "SYSTEMROOT",
    "TEMP",
    "LANG",
    "LC_ALL",
    "PYTHONHOME",
)
#: Of the child's records: see `sandbox`, which this module does not import because that loads FFmpeg.
RECORD_HEADER = struct.Struct(">cI")
_MAX_RECORD_BYTES = 1 << 22
_TOO_SLOW = "Decoding the sound took longer than its time limit and was stopped."
_DOES_NOT_START = "The sound decoder does not start: run 'python -m streametrics doctor'."


#: Added to the `nice` of a decoder that nobody waits for: on a busy core it gets a quarter of what an engine gets. With
#: more, hours of sound would not be decoded within a task's time while live chunks keep all cores busy.
BACKGROUND_NICENESS = 5


@dataclass(frozen=True, slots=True)
class ComputingLimit:
    """How long the child may compute, in seconds of processor time: how busy the machine is makes no difference.

    per_block: until the next block of sound, else for the whole file. Not on Windows.
    """

    seconds: float
    per_block: bool


#: A chunk of a minute takes 0.05 s; what takes longer than this is decoded where nobody waits for it.
CHUNK_LIMIT = ComputingLimit(3.0, per_block=False)
#: FFmpeg reads the 500 MB of an upload without sound in them, and an index of 12 h, in 2 s.
RECORDING_LIMIT = ComputingLimit(20.0, per_block=True)


class AudioDecoder:
    """Owns the decoding child process. One decoding at a time; not thread-safe, but for `interrupt`.

    The child starts with the first decoding or with `start()`, serves one file after another, and is started
    again after it died, was stopped or was left in the middle of a file. It ends with this process, however
    that ends. in_background: give way to all other work on the machine.
    """

    def __init__(self, limit: ComputingLimit = RECORDING_LIMIT, *, in_background: bool = False) -> None:
        self._limit, self._in_background = limit, in_background
        self._child: subprocess.Popen[bytes] | None = None
        self._is_ready = False
        self._current: Decoding | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The child's process id, None while none runs."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    def start(self) -> None:
        """Start the child ahead of time; returns at once, the child loads its libraries meanwhile."""
        if self.pid is not None:
            return
        self._stop_child()
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        here = str(Path(streametrics.__file__).parent.parent)
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))
        # -P: a file named av.py in the working folder must not be imported.
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-m", "streametrics.audio.sandbox"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            close_fds=True,  # the worker's sockets are none of the child's business
        )
        if self._in_background and sys.platform != "win32":
            with contextlib.suppress(OSError):
                own = os.getpriority(os.PRIO_PROCESS, 0)
                os.setpriority(os.PRIO_PROCESS, self._child.pid, own + BACKGROUND_NICENESS)
        self._is_ready = False

    def interrupt(self) -> None:
        """Make what is being decoded end soon, in whatever thread that is; its error says nothing."""
        child = self._child
        if child is not None:
            child.kill()

    def close(self) -> None:
        """Stop the child."""
        if self._current is not None:
            self._current.close()
        self._stop_child()

    def decode(
        self,
        path: Path,
        demuxer: str,
        *,
        max_audio_s: float,
        timeout_s: float,
        track: str = PLAIN,
        max_silence_s: float | None = None,
    ) -> "Decoding":
        """Start decoding the file at `path`; an earlier decoding that has not ended is stopped.

        demuxer: what `sniffing.sniff` said. max_audio_s: more sound than this is refused while decoding.
        timeout_s: wall-clock limit from now until the last block has been taken. track: `plain` for what
        a player plays, mixed to one channel; or as `tracks.parse_track` says. max_silence_s: so much is put into gaps,
        all together (None: half of `max_audio_s`).
        Errors come out of the iteration.
        """
        if self._current is not None:
            self._current.close()
        request = {
            "path": str(path.absolute()),
            "demuxer": demuxer,
            "track": track,
            "max_audio_s": max_audio_s,
            "max_silence_s": max_audio_s / 2 if max_silence_s is None else max_silence_s,
            "timeout_s": timeout_s,
            "computing_s": self._limit.seconds,
            "per_block": self._limit.per_block,
        }
        child = self._send(json.dumps(request).encode() + b"\n")
        self._current = Decoding(self, child, track, max_audio_s, timeout_s)
        return self._current

    def _send(self, line: bytes) -> "subprocess.Popen[bytes]":
        for _ in range(2):  # a child that died while it was idle shows only now
            self.start()
            assert self._child is not None and self._child.stdin is not None
            try:
                self._child.stdin.write(line)
                self._child.stdin.flush()
            except OSError:
                self._stop_child()
                continue
            except BaseException:  # a time limit's signal: half a line may have been sent
                self._stop_child()
                raise
            return self._child
        raise InternalError(_DOES_NOT_START)

    def _release(self, *, in_order: bool) -> None:
        """End the current decoding; where it did not end in order, the child is replaced by a fresh one at once."""
        self._current = None
        if not in_order:
            self._stop_child()
            self.start()

    def _stop_child(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        assert child.stdin is not None and child.stdout is not None
        child.kill()  # it holds nothing that a gentler end would save
        child.wait()
        child.stdout.close()
        with contextlib.suppress(OSError):  # what was still in the buffer cannot be sent any more
            child.stdin.close()


class Decoding(Iterator[Pcm]):
    """Iterates over the blocks of one file, at most a second each. Made by `AudioDecoder.decode`.

    A block has the shape (samples,) where the file is decoded in one channel, else (channels, samples), in the order of
    `tracks`. Iterating raises AudioUnreadable (nothing decodes, or the child died of this file), TrackMissing,
    AudioTooLong, TimedOut, and InternalError where the child cannot be started. `duration_s` is what was delivered so
    far, the sound's length at the end. `tracks` is right from the first block on; `truncated` and `is_closed` (gaps or
    jumps of its stamps were closed) after the end only.
    """

    def __init__(
        self,
        decoder: AudioDecoder,
        child: "subprocess.Popen[bytes]",
        track: str,
        max_audio_s: float,
        timeout_s: float,
    ) -> None:
        self.duration_s = 0.0
        self.tracks: tuple[Track, ...] = ()
        self.truncated = False
        self.is_closed = False
        self._channels = 1
        self._decoder, self._child, self._track, self._max_audio_s = decoder, child, track, max_audio_s
        self._lock = threading.Lock()
        self._is_over, self._has_timed_out = False, False
        # Pipes cannot be waited for with a time limit on Windows, killing the child ends a read everywhere.
        self._timer = threading.Timer(timeout_s, self._expire)
        self._timer.daemon = True
        self._timer.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __next__(self) -> Pcm:
        if self._is_over:
            raise StopIteration
        kind, body = _read_record(self._child)
        if kind == b"R":
            self._decoder._is_ready = True
            kind, body = _read_record(self._child)
        if kind == b"T":
            self.tracks = _tracks(json.loads(body))
            self._channels = sum(len(track.channels) for track in self.tracks)
            kind, body = _read_record(self._child)
        if kind == b"P":
            block = np.frombuffer(body, "<i2")
            self.duration_s += block.size / self._channels / SAMPLE_RATE_HZ
            return block if self._channels == 1 else block.reshape(self._channels, -1)
        if kind == b"E":
            self._end(json.loads(body))
            raise StopIteration
        raise self._child_is_gone()

    def close(self) -> None:
        """Stop decoding, if it has not ended by itself."""
        self._finish(in_order=False)

    def _end(self, end: dict[str, Any]) -> None:
        self._finish(in_order=True)
        match end.get("error"):
            case None:
                self.duration_s, self.truncated, self.is_closed = end["duration_s"], end["truncated"], end["closed"]
            case AudioTooLong.code:
                raise AudioTooLong(_too_long(self._max_audio_s))
            case TrackMissing.code:
                raise TrackMissing(_no_track(self._track, _tracks(end["tracks"])))
            case _:
                logger.info("no sound in this file: %s", end.get("detail"))
                raise AudioUnreadable(_unread_codec(end["codec"]) if end.get("codec") else None)

    def _child_is_gone(self) -> StreametricsError:
        was_ready = self._decoder._is_ready
        with contextlib.suppress(subprocess.TimeoutExpired):  # for the log: what it ended with, not our own kill
            self._child.wait(1)
        self._finish(in_order=False)
        if self._has_timed_out:
            return TimedOut(_TOO_SLOW)
        if not was_ready:
            return InternalError(_DOES_NOT_START)
        logger.warning("the decoding child ended with %s", self._child.returncode)
        if sys.platform != "win32" and self._child.returncode == -signal.SIGPROF:
            return AudioStalled()
        if sys.platform != "win32" and self._child.returncode == -signal.SIGALRM:  # its own limit, after a freeze
            return TimedOut(_TOO_SLOW)
        return AudioUnreadable()

    def _finish(self, *, in_order: bool) -> None:
        with self._lock:
            if self._is_over:
                return
            self._is_over = True
        self._timer.cancel()
        self._decoder._release(in_order=in_order and not self._has_timed_out)

    def _expire(self) -> None:
        with self._lock:  # a child that has gone on to the next file must not be killed
            if not self._is_over:
                self._has_timed_out = True
                self._child.kill()


def _read_record(child: "subprocess.Popen[bytes]") -> tuple[bytes, bytes]:
    """Read one record of the child, its kind and body; kind is empty where the child has ended."""
    assert child.stdout is not None
    header = child.stdout.read(RECORD_HEADER.size)
    if len(header) < RECORD_HEADER.size:
        return b"", b""
    kind, size = RECORD_HEADER.unpack(header)
    body = child.stdout.read(size) if size <= _MAX_RECORD_BYTES else b""
    return (kind, body) if len(body) == size else (b"", b"")


def _too_long(max_audio_s: float) -> str:
    limit = f"{max_audio_s / 3600:g} hours" if max_audio_s >= 3600 else f"{max_audio_s:g} seconds"
    return f"The recording is longer than the limit of {limit}: cut it, or raise MAX_AUDIO_HOURS."


def _tracks(values: list[dict[str, Any]]) -> tuple[Track, ...]:
    return tuple(Track.from_json(value) for value in values)


def _no_track(wanted: str, tracks: tuple[Track, ...]) -> str:
    return f"There is no sound track {wanted} in this file, which has {TrackList(tracks).description}."


def _unread_codec(codec: str) -> str:
    return (
        f"The sound of this file is in the format '{codec_name(codec)}', which is not read here: convert it first, for "
        "example with ffmpeg -i input -c:a flac sound.flac"
    )
