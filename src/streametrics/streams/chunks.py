"""Makes what a chunk leaves in its stream: its extent, and its words on the stream's timeline."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from streametrics.domain.job import JobRequest
from streametrics.domain.transcript import Segment, Transcript
from streametrics.streams.coverage import ChunkState
from streametrics.streams.search_terms import words_of

#: A chunk of fewer words is not taken for another one that has the same: short answers repeat.
MIN_FINGERPRINT_WORDS = 3


@dataclass(frozen=True, slots=True)
class StreamSegment:
    """A stretch of speech on its stream's timeline, and the words by which it is found."""

    segment: Segment
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChunkSummary:
    """A chunk's own summary: who wrote it, by which model, in which language (None where that is not known)."""

    text: str
    source: str
    model: str | None
    language: str | None


@dataclass(frozen=True, slots=True)
class JoiningChunk:
    """A chunk as it is put into its stream: positions and lengths in seconds. title, game: as they were sent."""

    task_id: str
    start_s: float
    end_s: float
    state: ChunkState
    speech_s: float = 0.0
    transcribed_s: float = 0.0
    seq: int | None = None
    fingerprint: str | None = None
    speech_language: str | None = None
    segments: tuple[StreamSegment, ...] = ()
    title: str | None = None
    game: str | None = None
    summary: ChunkSummary | None = None
    #: Whether its job's own result goes as well, as it holds words that its streamer has said to forget.
    erases_job: bool = False


def heard(
    task_id: str,
    transcript: Transcript,
    start_s: float,
    end_s: float,
    *,
    seq: int | None = None,
    fingerprint: str | None = None,
    keeps_words: bool = True,
) -> JoiningChunk:
    """Make the entry of a transcribed chunk that lies here."""
    spoken = [(segment.start, segment.end) for segment in transcript.segments if segment.text]
    unheard = [(span.start_s, span.end_s) for span in transcript.unheard]
    moved = [segment.moved(start_s) for segment in transcript.segments if segment.text and keeps_words]
    return JoiningChunk(
        task_id=task_id,
        start_s=start_s,
        end_s=end_s,
        state=ChunkState.HEARD,
        speech_s=length_of_all([*spoken, *unheard]),
        transcribed_s=length_of_all(spoken),
        seq=seq,
        fingerprint=fingerprint,
        speech_language=transcript.language,
        segments=tuple(StreamSegment(segment, tuple(words_of(segment.text))) for segment in moved),
    )


def fingerprint(request: JobRequest, transcript: Transcript, audio_s: float | None) -> str | None:
    """Hash what was sent and heard, to know the same sound with the same fields again; None where that is too little.

    Times of words are in it, in milliseconds: two sounds do not have the same ones by chance.
    """
    words = sum(len(segment.text.split()) for segment in transcript.segments)
    characters = sum(len(segment.text) for segment in transcript.segments)
    if words < MIN_FINGERPRINT_WORDS and characters < 4 * MIN_FINGERPRINT_WORDS:
        return None
    fields = (request.time, request.title, request.game, request.language, request.speech_language, request.track)
    told = json.dumps([*fields, audio_s, transcript.to_json()["segments"]], ensure_ascii=True)
    return hashlib.sha256(told.encode("ascii")).hexdigest()


def length_of_all(spans: Iterable[tuple[float, float]]) -> float:
    """Measure what the spans cover together."""
    length_s = reached_s = 0.0
    for start_s, end_s in sorted(spans):
        length_s += max(end_s - max(start_s, reached_s), 0.0)
        reached_s = max(reached_s, end_s)
    return round(length_s, 3)
