"""Renders recaps and chapters of streams for `/v1`. Seconds are floats from the first chunk on."""

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from streametrics.api.job_bodies import instant
from streametrics.api.stream_bodies import CoverageBody, StreamWithCoverage, coverage_body, stream_with_coverage
from streametrics.database.streams import StreamRecord
from streametrics.jobs.recaps import Recap, RecapScope, StreamChapters, chapter_name
from streametrics.jobs.service import TranscriptSoFar
from streametrics.recap.chapters import Chapter
from streametrics.recap.spoken import SpokenSentence
from streametrics.streams.coverage import Coverage
from streametrics.text.chapter_lists import ListedChapter

#: The most characters of a title and a summary that a person writes.
MAX_TITLE, MAX_SUMMARY = 100, 2000
Boundary = Literal["start", "topic", "title", "game", "gap", "limit", "person"]


class RecapSentence(BaseModel):
    """A sentence of a recap, when it was said, and the first and last segment that it comes from."""

    text: str = Field(examples=["Zoé lost a rook and resigned."])
    start: float = Field(examples=[3912.4])
    end: float = Field(examples=[3931.0])
    segments: list[int] = Field(min_length=2, max_length=2, examples=[[412, 415]])


class RecapCoverage(BaseModel):
    """How much of the stretch was heard."""

    ratio: float = Field(ge=0, le=1, description="Received of elapsed; silence counts as heard.", examples=[0.95])
    missing_s: float = Field(examples=[30.0])


class RecapBody(BaseModel):
    """What is told of a stretch of a stream; where `summary_source` is `extractive`, in sentences that were said."""

    stream_id: str = Field(examples=["strm_5f0c1d2e3a4b5c6d"])
    scope: Literal["now", "recent", "stream", "since"]
    state: Literal["ready", "words", "empty"] = Field(
        description="`words`: too little was said for a recap, so the text is what was said; `empty`: nothing was."
    )
    start: float = Field(examples=[3780.0])
    end: float = Field(examples=[4380.0])
    language: str | None = Field(description="Of the text.", examples=["en"])
    text: str = Field(examples=["Zoé lost a rook and resigned."])
    keywords: list[str] = Field(examples=[["rook", "resigned"]])
    summary_source: str = Field(description="Who wrote it, or any of it.", examples=["extractive"])
    model: str | None
    state_version: int = Field(examples=[146])
    generated_at: str = Field(description="When the stream last changed.", examples=["2026-11-30T19:13:02.000Z"])
    sentences: list[RecapSentence] = Field(description="With the place of each; none of a chunk's own summary.")
    coverage: RecapCoverage


class ChapterBody(BaseModel):
    """A stretch of a stream with one subject. A closed one keeps its borders for good."""

    id: str = Field(examples=["ch_9"])
    status: Literal["closed", "open"]
    title: str = Field(examples=["Rook endgame"])
    summary: str
    keywords: list[str] = Field(examples=[["rook"]])
    start: float = Field(examples=[3660.0])
    end: float = Field(examples=[4210.5])
    boundary: Boundary = Field(description="Why it begins there.")
    segments: list[int] | None = Field(description="The first and last `id` in the transcript.", examples=[[380, 431]])
    summary_source: str = Field(examples=["extractive"])
    edited: bool = Field(description="Whether a person wrote its title or summary.")
    revision: int = Field(examples=[1])


class ChapterList(BaseModel):
    """A stream's chapters, in order; the last one is open while the stream is live."""

    stream_id: str
    state_version: int
    data: list[ChapterBody]
    coverage: CoverageBody


class JobChapterList(BaseModel):
    """A job's chapters, in order; the last one is open while words are still to come."""

    job_id: str
    complete: bool = Field(description="Whether all words are there; else more may come.")
    data: list[ChapterBody]


class Recaps(BaseModel):
    """The three layers of a stream's recap."""

    now: RecapBody
    recent: RecapBody
    stream: RecapBody


class StreamWithRecaps(StreamWithCoverage):
    """A stream with its recaps, the chapter that is open, and how much of it was heard."""

    recaps: Recaps
    open_chapter: ChapterBody | None
    chapter_count: int = Field(description="Of closed ones.", examples=[9])


def _one_line(given: object) -> object:
    if not isinstance(given, str):
        return given
    line = " ".join(given.split())
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in line):
        raise PydanticCustomError("control_character", "it has a character that cannot be shown")
    return line


_NO_CONTROL = {"format": "chapter-text"}
_Title = Annotated[
    str, BeforeValidator(_one_line), Field(min_length=1, max_length=MAX_TITLE, json_schema_extra=_NO_CONTROL)
]
_Summary = Annotated[
    str, BeforeValidator(_one_line), Field(min_length=1, max_length=MAX_SUMMARY, json_schema_extra=_NO_CONTROL)
]


class ChapterEdit(BaseModel):
    """What a person says of a chapter; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    title: _Title | None = Field(default=None, examples=["Rook endgame"])
    summary: _Summary | None = Field(default=None, examples=["Zoé loses a rook and resigns."])


def recap_body(stream: StreamRecord, recap: Recap, coverage: Coverage) -> RecapBody:
    """Render a recap."""
    return RecapBody(
        stream_id=stream.id,
        scope=recap.scope.value,
        state=recap.state.value,
        start=_since(stream.start_s, recap.start_s),
        end=_since(stream.start_s, recap.end_s),
        language=recap.language,
        text=recap.text,
        keywords=list(recap.keywords),
        summary_source=recap.source,
        model=recap.model,
        state_version=stream.state_version,
        generated_at=instant(stream.updated_at),
        sentences=[_sentence(stream, sentence) for sentence in recap.sentences],
        coverage=_coverage_of(recap, coverage),
    )


def stream_with_recaps(
    stream: StreamRecord, coverage: Coverage, recaps: dict[RecapScope, Recap], chapters: StreamChapters
) -> StreamWithRecaps:
    """Render a stream with all that is told of it."""
    bodies = {scope: recap_body(stream, recap, coverage) for scope, recap in recaps.items()}
    return StreamWithRecaps(
        **dict(stream_with_coverage(stream, coverage)),
        recaps=Recaps(now=bodies[RecapScope.NOW], recent=bodies[RecapScope.RECENT], stream=bodies[RecapScope.STREAM]),
        open_chapter=None
        if chapters.open is None
        else chapter_body(chapters.open, is_open=True, zero_s=stream.start_s),
        chapter_count=len(chapters.closed),
    )


def chapter_list(found: StreamChapters, coverage: Coverage) -> ChapterList:
    """Render a stream's chapters."""
    stream = found.stream
    return ChapterList(
        stream_id=stream.id,
        state_version=stream.state_version,
        data=[chapter_body(each, is_open=each is found.open, zero_s=stream.start_s) for each in found.all],
        coverage=coverage_body(stream, coverage),
    )


def job_chapter_list(found: TranscriptSoFar, chapters: Sequence[Chapter]) -> JobChapterList:
    """Render a job's chapters."""
    return JobChapterList(
        job_id=found.record.task_id,
        complete=found.is_complete,
        data=[
            chapter_body(each, is_open=each is chapters[-1] and not found.is_complete, zero_s=0.0) for each in chapters
        ],
    )


def chapter_body(chapter: Chapter, *, zero_s: float, is_open: bool = False) -> ChapterBody:
    """Render a chapter on a timeline on which second 0 is this position."""
    return ChapterBody(
        id=chapter_name(chapter.place),
        status="open" if is_open else "closed",
        title=chapter.text.title,
        summary=chapter.text.summary,
        keywords=list(chapter.text.keywords),
        start=_since(zero_s, chapter.start_s),
        end=_since(zero_s, chapter.end_s),
        boundary=chapter.boundary.value,
        segments=None if chapter.segments is None else list(chapter.segments),
        summary_source=chapter.text.source,
        edited=chapter.title_edited or chapter.summary_edited,
        revision=chapter.revision,
    )


def listed(chapters: Iterable[Chapter], zero_s: float) -> list[ListedChapter]:
    """Give the chapters as lists have them, on a timeline on which second 0 is this position."""
    return [
        ListedChapter(
            max(each.start_s - zero_s, 0.0), max(each.end_s - zero_s, 0.0), each.text.title, each.text.summary
        )
        for each in chapters
    ]


def _since(zero_s: float, position_s: float) -> float:
    return round(max(position_s - zero_s, 0.0), 3)


def _sentence(stream: StreamRecord, sentence: SpokenSentence) -> RecapSentence:
    return RecapSentence(
        text=sentence.text,
        start=_since(stream.start_s, sentence.start_s),
        end=_since(stream.start_s, sentence.end_s),
        segments=[sentence.first_segment, sentence.last_segment],
    )


def _coverage_of(recap: Recap, coverage: Coverage) -> RecapCoverage:
    """Count what is missing of the recap's stretch."""
    missing_s = sum(max(min(gap.end_s, recap.end_s) - max(gap.start_s, recap.start_s), 0.0) for gap in coverage.gaps)
    elapsed_s = recap.end_s - recap.start_s
    ratio = 1.0 - missing_s / elapsed_s if elapsed_s > 0 else coverage.ratio
    return RecapCoverage(ratio=round(min(max(ratio, 0.0), 1.0), 3), missing_s=round(missing_s, 3))
