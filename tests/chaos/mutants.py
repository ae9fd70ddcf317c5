"""Row 14: damaged files and files made to do harm go through the decoder's process, which must not mind."""

import os
import random
import socket
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from streametrics.audio.decoder import AudioDecoder
from streametrics.errors import AudioTooLong, AudioUnreadable, InternalError, TimedOut
from tests.chaos.bombs import as_uploaded, bombs
from tests.chaos.figures import Figure, none_of, worst_time
from tests.chaos.form import Form
from tests.support.media import KINDS, encode, mutated, plain_wav, tone

LIMITS = {"max_audio_s": 600.0, "timeout_s": 20.0}
MOST_MIB = 1024
LONGEST_S = 25.0


@dataclass
class Watch:
    """What happened to the files so far."""

    ends: Counter[str] = field(default_factory=Counter)
    crashes: list[str] = field(default_factory=list)
    peak_mib: float = 0.0
    seconds: list[float] = field(default_factory=list)

    def decode(self, decoder: AudioDecoder, path: Path, name: str, demuxer: str) -> None:
        decoder.start()
        child = decoder._child
        assert child is not None
        began = time.monotonic()
        try:
            for _ in decoder.decode(path, demuxer, track="auto", **LIMITS):
                pass
            self.ends["heard"] += 1
        except (AudioUnreadable, AudioTooLong, TimedOut, InternalError) as error:
            self.ends[error.code] += 1
            # A child that ended by itself, and not by the time limit: a signal, or an error of its own.
            if child.poll() is not None and not isinstance(error, TimedOut):
                self.crashes.append(f"{name}: ended with {child.returncode}")
        self.seconds.append(time.monotonic() - began)
        self.peak_mib = max(self.peak_mib, peak_memory_mib(decoder))


def run(form: Form, folder: Path) -> list[Figure]:
    files = 500 if form.quick else 5_000
    folder.mkdir(parents=True, exist_ok=True)
    canary = folder / "canary.wav"
    canary.write_bytes(plain_wav(tone(2.0, 16_000), 16_000))
    watch = Watch()
    with socket.create_server(("127.0.0.1", 0)) as server, AudioDecoder() as decoder:
        server.setblocking(False)
        witness = _atime_is_kept(canary)
        harmful = bombs(canary, server.getsockname()[1])
        path = folder / "upload"
        for name, demuxer, data in harmful:
            path.write_bytes(data)
            for each in {demuxer, as_uploaded(data, demuxer)}:
                watch.decode(decoder, path, name, each)
        _mutate(form, files, decoder, path, watch)
        connections = _connections(server)
        read = int(canary.stat().st_atime != 1)
        path.write_bytes(plain_wav(tone(1.0, 16_000), 16_000))
        watch.decode(decoder, path, "an ordinary one at the end", "wav")
    note = f"{len(harmful)} bombs and {files:,} damaged files: {dict(watch.ends)}"
    tried = files + len(harmful)
    return [
        none_of(
            "14", "crashes of the decoder's process", len(watch.crashes), tried, "; ".join(watch.crashes[:3]) or note
        ),
        none_of("14", "connections made", connections, tried),
        none_of(
            "14", "foreign files read", read, tried, "" if witness else "this file system keeps no times of access"
        ),
        Figure("14", "memory of the decoder's process", "most", watch.peak_mib, tried, MOST_MIB, "MiB"),
        worst_time("14", "a file is done with", watch.seconds, LONGEST_S, quick=form.quick),
    ]


def _mutate(form: Form, files: int, decoder: AudioDecoder, path: Path, watch: Watch) -> None:
    sources = {kind: encode(tone(1.0, how.rate_hz), kind) for kind, how in KINDS.items()}
    sources["m4a-video"] = encode(tone(1.0, 44_100), "m4a", with_video=True)
    kinds = sorted(sources)
    for number in range(files):
        seed = form.seed * 1_000_000 + number
        kind = kinds[number % len(kinds)]
        data = mutated(sources[kind], seed)
        path.write_bytes(data)
        demuxer = KINDS[kind.removesuffix("-video")].demuxer
        # Half of them as the service would take them, half with the demuxer that the damage was made for.
        chosen = as_uploaded(data, demuxer) if random.Random(seed).random() < 0.5 else demuxer
        watch.decode(decoder, path, f"{kind}, seed {seed}", chosen)
        form.progress(f"{number} of {files} files: {dict(watch.ends)}")


def _atime_is_kept(canary: Path) -> bool:
    """Whether reading the canary would show; afterwards it looks as if nobody ever had."""
    os.utime(canary, (1, canary.stat().st_mtime))
    canary.read_bytes()
    shows = canary.stat().st_atime != 1
    os.utime(canary, (1, canary.stat().st_mtime))
    return shows


def _connections(server: socket.socket) -> int:
    count = 0
    while True:
        try:
            server.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


def peak_memory_mib(decoder: AudioDecoder) -> float:
    """The most that the child ever held, 0 where it is gone."""
    try:
        text = Path(f"/proc/{decoder.pid}/status").read_text()
    except OSError:
        return 0.0
    return int(text.partition("VmHWM:")[2].split()[0]) / 1024
