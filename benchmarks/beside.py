"""A live chunk's time beside a recording: while that is decoded, and while its parts are transcribed."""

import itertools
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks import recordings
from streametrics.audio.pcm import Samples
from tests.support.media import encode_blocks
from tests.support.stack import Stack, stack, until

#: Between a chunk's words and the next chunk, in seconds.
GAP_S = 1.0
LOOK_S = 0.02


@dataclass
class Beside:
    """Seconds from a chunk's upload to its words: with nothing beside it, and beside a recording's two stages."""

    hours: float
    idle: list[float] = field(default_factory=list)
    decoding: list[float] = field(default_factory=list)
    transcribing: list[float] = field(default_factory=list)

    @property
    def figure(self) -> str:
        return f"{percentile_95(self.decoding):.2f} and {percentile_95(self.transcribing):.2f} s"

    def describe(self) -> str:
        idle_s = percentile_95(self.idle)
        stages = {"is decoded": self.decoding, "is transcribed": self.transcribing}
        beside = ", ".join(
            f"{percentile_95(seconds) / idle_s:.1f} times that while {self.hours:g} h of Opus {what} "
            f"(median {statistics.median(seconds):.2f} s, {len(seconds)} chunks)"
            for what, seconds in stages.items()
        )
        median = statistics.median(self.idle)
        return f"95th percentiles; idle {idle_s:.2f} s (median {median:.2f} s, {len(self.idle)} chunks), {beside}"


def percentile_95(seconds: list[float]) -> float:
    """The nearest-rank percentile: the slowest of fewer than twenty."""
    return sorted(seconds)[math.ceil(0.95 * len(seconds)) - 1]


def measure(engine: str, chunks: list[Samples], *, hours: float, most: int) -> Beside:
    """Send `most` chunks in each state, one after the other; fewer where the recording is decoded sooner."""
    uploads, found = [recordings.upload(samples) for samples in chunks], Beside(hours)
    recording = _recording(chunks, hours)
    with (
        tempfile.TemporaryDirectory() as folder,
        stack(Path(folder), WHISPER_ENGINE=engine, SUMMARIZER="extractive") as service,
    ):
        service.start_all()
        service.finished(service.submit(uploads[0]), within_s=120)
        _send(service, uploads, found.idle, most, lambda: True)
        service.submit(recording)
        until(lambda: _is_decoding(service), within_s=60, what="the recording is being decoded")
        _send(service, uploads, found.decoding, most, lambda: _is_decoding(service))
        until(lambda: not _is_decoding(service), within_s=600, what="the recording is decoded")
        _send(service, uploads, found.transcribing, most, lambda: True)
    return found


def _recording(chunks: list[Samples], hours: float) -> bytes:
    """So much speech as Opus: the chunks again and again, each sample three times, as Opus has 48 kHz."""
    in_turns = itertools.islice(itertools.cycle(chunks), round(3600 * hours / recordings.CHUNK_S))
    return encode_blocks((np.repeat(samples, 3) for samples in in_turns), "ogg-opus")


def _is_decoding(service: Stack) -> bool:
    return any(path.suffix == ".partial" for path in service.audio_files)


def _send(service: Stack, uploads: list[bytes], seconds: list[float], most: int, goes_on: Callable[[], bool]) -> None:
    """Time up to `most` chunks, each of which begins while this goes on."""
    while len(seconds) < most and goes_on():
        began = time.monotonic()
        task_id = service.submit(uploads[len(seconds) % len(uploads)])
        while not _has_words(service.status(task_id)):
            time.sleep(LOOK_S)
        seconds.append(time.monotonic() - began)
        time.sleep(GAP_S)


def _has_words(status: dict[str, object]) -> bool:
    assert status["status"] != "error", status
    return status["status"] == "done" or status.get("current_step") in ("transcription_complete", "summarizing")
