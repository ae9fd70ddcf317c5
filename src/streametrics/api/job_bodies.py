"""Renders jobs, transcripts and summaries for `/v1`. Seconds are floats, instants are RFC 3339 in UTC."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from streametrics.api.openapi import JobWarning, KeyMoment
from streametrics.database.jobs import JobRecord
from streametrics.domain.job import JobKind, JobState
from streametrics.domain.status import JobStatus
from streametrics.domain.transcript import Segment
from streametrics.errors import JobCancelled
from streametrics.jobs.service import TranscriptSoFar
from streametrics.streams.streamer_keys import streamer_key

Status = Literal["queued", "processing", "completed", "failed", "cancelled"]
Step = Literal["transcribing", "transcribed", "summarizing"]

#: The states of each status, with the code that an error must have, or with `!` must not have.
STATES: dict[Status, dict[JobState, str]] = {
    "queued": {JobState.QUEUED: ""},
    "processing": {JobState.TRANSCRIBING: "", JobState.TRANSCRIBED: "", JobState.SUMMARIZING: ""},
    "completed": {JobState.DONE: ""},
    "failed": {JobState.FAILED: f"!{JobCancelled.code}"},
    "cancelled": {JobState.FAILED: JobCancelled.code},
}
ALL_STATES: dict[JobState, str] = dict.fromkeys(JobState, "")
_STEPS: dict[JobState, Step] = {
    JobState.TRANSCRIBING: "transcribing",
    JobState.TRANSCRIBED: "transcribed",
    JobState.SUMMARIZING: "summarizing",
}


#: How generated clients know an instant.
_INSTANT: dict[str, Any] = {"format": "date-time"}


class Streamer(BaseModel):
    """Who streams: `key` is the name in one form, however it is written."""

    key: str = Field(examples=["zoé_tv"])
    name: str = Field(examples=["Zoé_TV"])


class JobError(BaseModel):
    """Why a job failed."""

    code: str = Field(examples=["audio_unreadable"])
    detail: str = Field(description="What went wrong and what to do.")


class Job(BaseModel):
    """A job: one recording or chunk on its way from sound to text and summary."""

    id: str = Field(examples=["0b0c7c9e-28b3-432d-81ea-d12c4cc4cb34"])
    status: Status
    step: Step | None = Field(description="What is done to it, while it is `processing`.")
    progress: int = Field(ge=0, le=100, description="Per cent; in a list, of the last step that ended.")
    eta_s: float | None = Field(description="The time left, in seconds, where it is known.")
    kind: Literal["live", "recording"] = Field(description="A chunk that somebody waits for, or a recording.")
    streamer: Streamer
    title: str
    game: str
    time: str = Field(description="As it was sent.")
    duration_s: float | None = Field(description="Of the sound, once it is decoded.", examples=[30.0])
    speech_language: str | None = Field(description="As it was sent; null for the one that is heard.", examples=["en"])
    track: str = Field(description="As it was sent.", examples=["auto"])
    summary: Literal["none", "short", "long"] | None = Field(description="Null for what suits the recording's length.")
    summary_language: str | None = Field(
        description="Null for the one that is spoken, and where no summary is made.", examples=["en"]
    )
    created_at: str = Field(examples=["2026-11-30T19:13:02Z"], json_schema_extra=_INSTANT)
    ended_at: str | None = Field(json_schema_extra=_INSTANT)
    expires_at: str | None = Field(
        description="When the result is erased, once it has ended.", json_schema_extra=_INSTANT
    )
    parent_job_id: str | None = Field(description="Of a summary made anew: the job whose transcript it is of.")
    warnings: list[JobWarning]
    error: JobError | None


class JobList(BaseModel):
    """A page of jobs, the newest first."""

    data: list[Job]
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last one.")


class TranscriptWord(BaseModel):
    """A word and when it is said, in seconds; with the space before it, where its script has one."""

    start: float
    end: float
    text: str


class TranscriptSegment(BaseModel):
    """A stretch of speech, in seconds from the beginning, as a player counts them."""

    id: int
    start: float
    end: float
    text: str
    language: str | None
    words: list[TranscriptWord]


class TranscriptBody(BaseModel):
    """A job's transcript, whole or as far as it has come."""

    job_id: str
    complete: bool = Field(description="Whether all words are there; else more may come.")
    language: str | None = Field(examples=["en"])
    text: str
    word_times: bool = Field(description="Whether the engine told when each word is said.")
    segments: list[TranscriptSegment] = Field(description="Empty while only the text of a chunk in work is known.")


class SummaryBody(BaseModel):
    """A job's summary, whole or as far as it has come."""

    job_id: str
    complete: bool
    language: str | None = Field(description="What it is written in; picked sentences are as spoken.", examples=["en"])
    text: str
    key_moments: list[KeyMoment] = Field(description="Of a long recording, in their order; `text` has them too.")
    summary_source: str | None = Field(description="`ollama`, `openai_compatible` or `extractive`.")
    model: str | None
    warnings: list[JobWarning]


def job_body(record: JobRecord, status: JobStatus, *, keep_s: Callable[[bool], float]) -> Job:
    """Render a job. keep_s: for how long it is kept after its end, by its `is_kept`."""
    request = record.request
    ended = record.finished_at
    return Job(
        id=record.task_id,
        status=_status(record),
        step=_STEPS.get(record.state),
        progress=100 if record.state is JobState.DONE else status.progress,
        eta_s=None if status.eta_s is None else round(status.eta_s, 1),
        kind="live" if record.kind is JobKind.LIVE else "recording",
        streamer=Streamer(key=streamer_key(request.streamer), name=request.streamer),
        title=request.title,
        game=request.game,
        time=request.time,
        duration_s=None if record.audio_s is None else round(record.audio_s, 3),
        speech_language=request.speech_language,
        track=request.track,
        summary=request.summary_length if request.wants_summary else "none",
        summary_language=(request.language or None) if request.wants_summary else None,
        created_at=instant(record.received_at),
        ended_at=None if ended is None else instant(ended),
        expires_at=None if ended is None else instant(ended + keep_s(record.is_kept)),
        parent_job_id=request.parent_task_id,
        warnings=_warnings(status),
        error=_error(record),
    )


def _warnings(status: JobStatus) -> list[JobWarning]:
    return [JobWarning(code=warning.code, message=warning.message) for warning in status.warnings]


def _status(record: JobRecord) -> Status:
    match record.state:
        case JobState.QUEUED:
            return "queued"
        case JobState.DONE:
            return "completed"
        case JobState.FAILED:
            return "cancelled" if record.error_code == JobCancelled.code else "failed"
        case _:
            return "processing"


def _error(record: JobRecord) -> JobError | None:
    if record.state is not JobState.FAILED:
        return None
    return JobError(code=record.error_code or "internal_error", detail=record.error or "")


def transcript_body(found: TranscriptSoFar) -> TranscriptBody:
    """Render a transcript with its segments and words."""
    segments = found.transcript.segments if found.transcript is not None else ()
    return TranscriptBody(
        job_id=found.record.task_id,
        complete=found.is_complete,
        language=found.transcript.language if found.transcript is not None else None,
        text=found.text,
        word_times=bool(segments) and all(segment.words for segment in segments if segment.text),
        segments=[_segment(number, segment) for number, segment in enumerate(segments)],
    )


def _segment(number: int, segment: Segment) -> TranscriptSegment:
    return TranscriptSegment(
        id=number,
        start=round(segment.start, 3),
        end=round(segment.end, 3),
        text=segment.text,
        language=segment.language,
        words=[
            TranscriptWord(start=round(word.start, 3), end=round(word.end, 3), text=word.text) for word in segment.words
        ],
    )


def summary_body(record: JobRecord, status: JobStatus) -> SummaryBody | None:
    """Render a summary; None while there is none."""
    result: Mapping[str, Any] = record.result or {}
    text = result.get("summary", status.partial_summary)
    if not isinstance(text, str) or not (text or record.result):
        return None
    return SummaryBody(
        job_id=record.task_id,
        complete=record.state.is_final,
        language=_summary_language(record, result),
        text=text,
        key_moments=_key_moments(result.get("key_moments")),
        summary_source=result.get("summary_source"),
        model=result.get("model"),
        warnings=_warnings(status),
    )


def _summary_language(record: JobRecord, result: Mapping[str, Any]) -> str | None:
    """Tell the language of a summary: what was asked for, unless its sentences were picked or nothing was asked."""
    is_spoken = result.get("summary_source") == "extractive" and result.get("text")
    spoken = result.get("speech_language")
    return spoken if is_spoken and spoken else record.request.language or spoken


def _key_moments(stored: object) -> list[KeyMoment]:
    """Read stored key moments; results of before this was stored have none."""
    found = stored if isinstance(stored, list) else []
    return [KeyMoment(start=each["start"], text=each["text"]) for each in found]


def instant(seconds: float) -> str:
    """Render a time, in seconds since 1970, as RFC 3339 asks."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
