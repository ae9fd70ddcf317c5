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

from streametrics.audio.decoder import AudioDecoder, Decoding
from streametrics.audio.pcm import SAMPLE_RATE_HZ, Pcm, Samples, read_pcm, to_float32, to_raw
from streametrics.audio.silence_splitter import RecordingPart, SilenceSplitter
from streametrics.domain.job import JobKind, JobRequest, Warn
from streametrics.domain.transcript import Segment, TimeSpan
from streametrics.domain.warnings import CLOSED_GAPS, TWO_PROGRAMS, tracks_left_out
from streametrics.errors import AudioUnreadable
from streametrics.pipeline.reporter import JobReporter
from streametrics.pipeline.voice_selection import VoiceSelection
from streametrics.settings import Settings
from streametrics.transcription.base import TranscriptionRequest

#: A chunk may be this much over the limit of a live one: encoders pad their last frame. Seconds.
LIVE_TOLERANCE_S = 0.5
#: So much silence is put into the gaps of a live chunk, all together; damaged stamps must not make a recording of it.
MAX_LIVE_SILENCE_S = 600.0

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
    track: str,
    settings: Settings,
    decoder: AudioDecoder,
    open_sink: Callable[[], SampleSink],
    reporter: JobReporter,
) -> DecodedUpload | SplitRecording | WrongKind:
    """Decode an upload; when it is long, store its samples and split them into parts.

    track: as `audio.tracks.parse_track` says. `open_sink` is called once, and only for a long recording. Digital
    silence, such as gaps are filled with, does not make a live chunk long. Raises AudioUnreadable, TrackMissing,
    AudioTooLong, TimedOut, and what the reporter raises.
    """
    limit = int((settings.live_max_s + LIVE_TOLERANCE_S) * SAMPLE_RATE_HZ)
    longest = limit + (int(MAX_LIVE_SILENCE_S * SAMPLE_RATE_HZ) if kind is JobKind.LIVE else 0)
    blocks, length, heard = list[Pcm](), 0, 0
    with decoder.decode(
        path,
        container,
        track=track,
        max_audio_s=settings.max_audio_s,
        max_silence_s=MAX_LIVE_SILENCE_S if kind is JobKind.LIVE else None,
        timeout_s=settings.task_soft_time_limit_s,
    ) as decoding:
        sound = VoiceSelection(decoding, track)
        coming = iter(sound)
        for block in coming:
            reporter.check()
            blocks.append(block)
            length += len(block)
            heard += len(block) if block.any() else 0
            if length > longest or heard > limit:
                if kind is JobKind.LIVE:
                    return WrongKind(JobKind.LONG)
                spans = store_and_split(_all(blocks, coming, reporter), open_sink(), settings.part_target_s)
                return SplitRecording(spans[-1].end_s, spans, decoding_warnings(decoding, sound))
    if not blocks:
        raise AudioUnreadable
    return DecodedUpload(to_float32(np.concatenate(blocks)), decoding_warnings(decoding, sound))


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

    return TranscriptionRequest(
        samples, request.speech_language, on_segment, background=background, task=request.speech_task
    )


def decoding_warnings(decoding: Decoding, sound: VoiceSelection) -> tuple[Warn, ...]:
    """Return what a reader should know of a decoding that has ended."""
    warnings = [WARN_TRUNCATED] if decoding.truncated else []
    warnings += [CLOSED_GAPS] if decoding.is_closed else []
    warnings += [TWO_PROGRAMS] if sound.is_dual else []
    left_out = [track.description for track in sound.left_out]
    return (*warnings, *tracks_left_out(sound.taken, left_out, len(decoding.tracks), mixed=sound.is_mixed))
