"""Renders streams, their coverage, words and search hits for `/v1`. Seconds are floats from the first chunk on."""

from typing import Literal
from urllib.parse import urlencode

from pydantic import BaseModel, Field

from streametrics.api.job_bodies import Streamer, TranscriptWord, instant
from streametrics.api.openapi import JobWarning
from streametrics.database.stream_search import Hit
from streametrics.database.streams import StoredSegment, StreamerRecord, StreamRecord
from streametrics.domain.transcript import Segment, Transcript
from streametrics.jobs.streams import StreamTranscript
from streametrics.streams.coverage import Coverage

Status = Literal["live", "paused", "ended"]
CLOCK_JUMPED = (
    "The client's clock was set while it streamed: chunks since then lie where they came, and neither the time of day "
    "nor the place in the broadcast is known."
)


class StreamGap(BaseModel):
    """A stretch that was not heard, and why."""

    start: float = Field(examples=[1200.0])
    end: float = Field(examples=[1380.0])
    reason: Literal["not_sent", "lost", "failed", "late", "forgotten", "paused"]


class CoverageBody(BaseModel):
    """How much of a stream was heard, in seconds; `received_s` and `missing_s` together are all of it."""

    start: float = Field(examples=[0.0])
    end: float = Field(examples=[4380.0])
    received_s: float = Field(examples=[4200.0])
    speech_s: float = Field(description="Of it, with somebody speaking.", examples=[3105.2])
    transcribed_s: float = Field(description="Of that, with words.", examples=[3098.7])
    missing_s: float = Field(examples=[180.0])
    overlap_s: float = Field(description="Sound that came more than once.", examples=[0.0])
    lag_s: float = Field(description="From the last chunk's arrival until its words were here.", examples=[2.1])
    ratio: float = Field(ge=0, le=1, description="Received of elapsed; silence counts as heard.", examples=[0.959])
    gaps: list[StreamGap]


class Stream(BaseModel):
    """A broadcast, from its first chunk to its end."""

    id: str = Field(examples=["strm_5f0c1d2e3a4b5c6d"])
    streamer: Streamer
    status: Status
    title: str = Field(description="That of the last chunk.", examples=["Road to 2000"])
    game: str = Field(examples=["Chess"])
    started_at: str = Field(description="When its first chunk begins.", examples=["2026-11-30T18:00:00.000Z"])
    ended_at: str | None = Field(description="Null while it is live.")
    clock: Literal["wall", "offset", "arrival"] = Field(
        description="What places its chunks: epoch milliseconds or HH:MM:SS in `time`, or when they came."
    )
    duration_s: float = Field(examples=[4380.0])
    speech_language: str | None = Field(description="Of the last words.", examples=["fr"])
    summary_languages: list[str] = Field(description="In which its chunks were to be summarized.", examples=[["fr"]])
    state_version: int = Field(description="Raised by every change.", examples=[146])
    updated_at: str = Field(examples=["2026-11-30T19:13:02.000Z"])
    warnings: list[JobWarning]


class StreamWithCoverage(Stream):
    """A stream, and how much of it was heard."""

    coverage: CoverageBody


class StreamList(BaseModel):
    """A page of streams, the newest first."""

    data: list[Stream]
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last one.")


class StreamerBody(BaseModel):
    """A streamer of whom there are streams."""

    streamer: Streamer
    stream_count: int = Field(examples=[12])
    newest_stream_id: str = Field(examples=["strm_5f0c1d2e3a4b5c6d"])
    newest_stream_status: Status


class StreamerList(BaseModel):
    """A page of streamers, those with the newest streams first."""

    data: list[StreamerBody]
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last one.")


class StreamSegment(BaseModel):
    """A stretch of speech; `id` counts in the order in which they came."""

    id: int = Field(examples=[412])
    start: float
    end: float
    text: str
    language: str | None
    job_id: str = Field(description="Of the chunk in which it is said.")
    words: list[TranscriptWord]


class StreamTranscriptBody(BaseModel):
    """A stream's words, whole or of a stretch of it."""

    stream_id: str
    offset: Literal["upload", "stream", "clock"] = Field(description="From where times count.")
    zero_at: str | None = Field(description="The instant of second 0, where it is known.")
    state_version: int
    text: str
    segments: list[StreamSegment]


class SearchHit(BaseModel):
    """A segment in which all that was asked for is said."""

    stream_id: str = Field(examples=["strm_5f0c1d2e3a4b5c6d"])
    streamer: Streamer
    segment: int = Field(description="Its `id` in the transcript.", examples=[412])
    start: float = Field(description="Seconds from the beginning of the stream's first chunk.", examples=[3912.4])
    end: float = Field(examples=[3931.0])
    text: str = Field(examples=["Zoé lost a rook and resigned."])
    language: str | None = Field(examples=["en"])
    job_id: str
    transcript_url: str = Field(description="Of the transcript around it, below this service's address.")


class SearchHits(BaseModel):
    """A page of hits: those of the newest stream first, and in it the last ones said."""

    data: list[SearchHit]
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last one.")


def stream_body(stream: StreamRecord) -> Stream:
    """Render a stream."""
    timeline = stream.timeline
    return Stream(
        id=stream.id,
        streamer=_streamer(stream),
        status=_status(stream),
        title=stream.title,
        game=stream.game,
        started_at=instant(stream.started_at),
        ended_at=None if stream.ended_at is None else instant(stream.ended_at),
        clock=timeline.clock.value,
        duration_s=round(stream.end_s - stream.start_s, 3),
        speech_language=stream.speech_language,
        summary_languages=list(stream.summary_languages),
        state_version=stream.state_version,
        updated_at=instant(stream.updated_at),
        warnings=[JobWarning(code="clock_jumped", message=CLOCK_JUMPED)] if timeline.has_jumped else [],
    )


def stream_with_coverage(stream: StreamRecord, coverage: Coverage) -> StreamWithCoverage:
    """Render a stream and its coverage."""
    return StreamWithCoverage(**dict(stream_body(stream)), coverage=coverage_body(stream, coverage))


def coverage_body(stream: StreamRecord, coverage: Coverage) -> CoverageBody:
    """Render a stream's coverage."""
    return CoverageBody(
        start=0.0,
        end=round(coverage.end_s - coverage.start_s, 3),
        received_s=coverage.received_s,
        speech_s=coverage.speech_s,
        transcribed_s=coverage.transcribed_s,
        missing_s=coverage.missing_s,
        overlap_s=coverage.overlap_s,
        lag_s=round(max(stream.lag_s, 0.0), 3),
        ratio=coverage.ratio,
        gaps=[
            StreamGap(
                start=round(gap.start_s - coverage.start_s, 3),
                end=round(gap.end_s - coverage.start_s, 3),
                reason=gap.reason.value,
            )
            for gap in coverage.gaps
        ],
    )


def streamer_body(found: StreamerRecord) -> StreamerBody:
    """Render a streamer."""
    return StreamerBody(
        streamer=_streamer(found.newest),
        stream_count=found.stream_count,
        newest_stream_id=found.newest.id,
        newest_stream_status=_status(found.newest),
    )


def stream_transcript_body(
    found: StreamTranscript, offset: Literal["upload", "stream", "clock"]
) -> StreamTranscriptBody:
    """Render a stream's words with their times."""
    segments = [(each, each.segment.moved(-found.zero_s)) for each in found.segments]
    return StreamTranscriptBody(
        stream_id=found.stream.id,
        offset=offset,
        zero_at=None if found.zero_at is None else instant(found.zero_at),
        state_version=found.stream.state_version,
        text=stream_text(found, " "),
        segments=[_segment(stored, segment) for stored, segment in segments],
    )


def stream_text(found: StreamTranscript, between: str) -> str:
    """Join a stream's words."""
    return between.join(each.segment.text for each in found.segments)


def subtitled(found: StreamTranscript) -> Transcript:
    """Make the transcript of which subtitles are laid out: in order, nothing over another, nothing before 0.

    Two clients that send one broadcast say it twice: what lies over another's words is shown after them.
    """
    moved: list[Segment] = []
    reached_s = 0.0
    for each in found.segments:
        segment = each.segment.moved(-found.zero_s)
        if segment.start < reached_s:
            segment = segment.moved(reached_s - segment.start)
        moved.append(segment)
        reached_s = max(reached_s, segment.end)
    return Transcript(tuple(moved), None)


def search_hit(hit: Hit) -> SearchHit:
    """Render a hit."""
    segment = hit.found.segment.moved(-hit.stream.start_s)
    start, end = max(segment.start, 0.0), max(segment.end, 0.0)
    around = urlencode({"format": "json", "start": max(round(start - 30, 3), 0.0), "end": round(end + 30, 3)})
    return SearchHit(
        stream_id=hit.stream.id,
        streamer=_streamer(hit.stream),
        segment=hit.found.number,
        start=round(start, 3),
        end=round(end, 3),
        text=segment.text,
        language=segment.language,
        job_id=hit.found.task_id,
        transcript_url=f"/v1/streams/{hit.stream.id}/transcript?{around}",
    )


def _segment(stored: StoredSegment, segment: Segment) -> StreamSegment:
    return StreamSegment(
        id=stored.number,
        start=segment.start,
        end=segment.end,
        text=segment.text,
        language=segment.language,
        job_id=stored.task_id,
        words=[TranscriptWord(start=word.start, end=word.end, text=word.text) for word in segment.words],
    )


def _streamer(stream: StreamRecord) -> Streamer:
    return Streamer(key=stream.streamer_key, name=stream.streamer)


def _status(stream: StreamRecord) -> Status:
    if stream.ended_at is not None:
        return "ended"
    return "paused" if stream.is_paused else "live"
