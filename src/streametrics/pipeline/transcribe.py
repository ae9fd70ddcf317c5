"""Runs the first stage of a job: an upload becomes samples or parts, and these become transcription requests.

decode()                 an upload becomes samples; those of a long one are stored and split into parts
store_and_split()        stores and splits them, for `transcribe FILE` too
transcription_request()  samples, and the reporter that is told of their segments
part_request()           the same for one part of a recording
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from streametrics.audio.decoder import AudioDecoder
from streametrics.audio.pcm import SAMPLE_RATE_HZ, Pcm, Samples, read_pcm, to_float32, to_raw
from streametrics.audio.silence_splitter import RecordingPart, SilenceSplitter
from streametrics.domain.job import JobKind, JobRequest, Warn
from streametrics.domain.transcript import Segment, TimeSpan
from streametrics.errors import AudioUnreadable
from streametrics.pipeline.reporter import JobReporter
from streametrics.settings import Settings
from streametrics.transcription.base import TranscriptionRequest

#: A chunk may be this much over the limit of a live one: encoders pad their last frame. Seconds.
LIVE_TOLERANCE_S = 0.5

WARN_TRUNCATED = Warn("audio_truncated", "The file is cut off or damaged; what could be heard of it was transcribed.")


class SampleSink(Protocol):
    """Takes the samples of a long recording."""

    def write(self, data: bytes, /) -> object: ...


@dataclass(frozen=True, slots=True)
class DecodedUpload:
    """A decoded upload, to be transcribed in one request."""

    samples: Samples
    warnings: tuple[Warn, ...]

    @property
    def audio_s(self) -> float:
        """Its length in seconds."""
        return len(self.samples) / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class SplitRecording:
    """A recording that is decoded, stored and split into parts."""

    audio_s: float
    spans: list[TimeSpan]
    warnings: tuple[Warn, ...]


@dataclass(frozen=True, slots=True)
class WrongKind:
    """An upload that is longer than a live job may be, so that others would wait too long behind it."""

    kind: JobKind


def decode(
    path: Path,
    container: str,
    *,
    kind: JobKind,
    settings: Settings,
    decoder: AudioDecoder,
    open_sink: Callable[[], SampleSink],
    reporter: JobReporter,
) -> DecodedUpload | SplitRecording | WrongKind:
    """Decode an upload; when it is long, store its samples and split them into parts.

    `open_sink` is called once, and only for a long recording. Raises AudioUnreadable, AudioTooLong,
    TimedOut, and what the reporter raises.
    """
    limit = int((settings.live_max_s + LIVE_TOLERANCE_S) * SAMPLE_RATE_HZ)
    blocks: list[Pcm] = []
    with decoder.decode(
        path, container, max_audio_s=settings.max_audio_s, timeout_s=settings.task_soft_time_limit_s
    ) as decoding:
        for block in decoding:
            reporter.check()
            blocks.append(block)
            if sum(len(each) for each in blocks) > limit:
                if kind is JobKind.LIVE:
                    return WrongKind(JobKind.LONG)
                spans = store_and_split(_all(blocks, iter(decoding), reporter), open_sink(), settings.part_target_s)
                return SplitRecording(spans[-1].end_s, spans, _warnings(decoding.truncated))
    if not blocks:
        raise AudioUnreadable
    return DecodedUpload(to_float32(np.concatenate(blocks)), _warnings(decoding.truncated))


def store_and_split(blocks: Iterable[Pcm], sink: SampleSink, target_s: float) -> list[TimeSpan]:
    """Write samples as they come and split them at silences, so that hours of sound need no hours of memory.

    target_s: of a part, see `SilenceSplitter`.
    """
    splitter = SilenceSplitter(target_s)
    parts: list[RecordingPart] = []
    for block in blocks:
        sink.write(to_raw(block))
        parts += splitter.feed(block)
    return [TimeSpan(part.start_s, part.end_s) for part in parts + splitter.finish()]


def _all(first: list[Pcm], rest: Iterator[Pcm], reporter: JobReporter) -> Iterator[Pcm]:
    """Yield all blocks of a recording, of which `first` are in memory: each of them until it is taken."""
    while first:
        yield first.pop(0)
    for block in rest:
        reporter.check()
        yield block


def part_request(
    path: Path, start_s: float, end_s: float, request: JobRequest, *, reporter: JobReporter
) -> TranscriptionRequest:
    """Make the request for one part of the stored samples; its times count from the part's start.

    Chunks are transcribed before it.
    """
    return transcription_request(read_pcm(path, start_s, end_s), request, reporter=reporter, background=True)


def transcription_request(
    samples: Samples, request: JobRequest, *, reporter: JobReporter, background: bool = False
) -> TranscriptionRequest:
    """Make the request for samples whose segments go to the reporter. Where it raises, the request is dropped.

    background: see `TranscriptionRequest`.
    """
    length_s = len(samples) / SAMPLE_RATE_HZ
    texts: list[str] = []

    def on_segment(segment: Segment) -> None:
        reporter.check()
        texts.append(segment.text)
        reporter.transcribed(min(segment.end, length_s), length_s, " ".join(text for text in texts if text))

    return TranscriptionRequest(samples, request.speech_language, on_segment, background=background)


def _warnings(truncated: bool) -> tuple[Warn, ...]:
    return (WARN_TRUNCATED,) if truncated else ()
