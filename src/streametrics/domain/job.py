"""The words of a job: what was asked, where it stands, what came out. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

MESSAGE_WAITING = "Task is waiting to be processed..."
MESSAGE_TRANSCRIBING = "Transcribing audio..."
MESSAGE_TRANSCRIBED = "Transcription complete. Generating summary..."
MESSAGE_SUMMARIZING = "Generating summary with Mistral..."
MESSAGE_ERROR = "An error occurred during processing"
MESSAGE_NO_MODEL_SERVER = "Warning: Mistral service may be unavailable. Proceeding with transcription..."

#: The bands of `progress`, per cent.
TRANSCRIBING_END = 49
TRANSCRIBED_AT = 50
SUMMARIZING_FROM = 60
SUMMARIZING_END = 99


class JobState(StrEnum):
    """Where a job stands; each value is written to the database."""

    QUEUED = "queued"  #: accepted, nobody works on it
    TRANSCRIBING = "transcribing"  #: claimed, or waiting for its parts
    TRANSCRIBED = "transcribed"  #: the transcript is stored and is never made again
    SUMMARIZING = "summarizing"  #: claimed by a summary's writer
    DONE = "done"  #: never changes again, until it is erased
    FAILED = "failed"  #: never changes again, until it is erased

    @property
    def is_final(self) -> bool:
        return self in (JobState.DONE, JobState.FAILED)


class JobKind(StrEnum):
    """Which queue a job's sound waits in."""

    LIVE = "live"  #: a chunk that somebody waits for
    LONG = "long"  #: a recording, worked on in parts


class QueueName(StrEnum):
    """Where work waits for a worker."""

    LIVE = "live"
    LONG = "long"
    SUMMARISE = "summarise"


@dataclass(frozen=True, slots=True)
class Warn:
    """Something a reader of the result should know; `code` is for programs, `message` for people."""

    code: str
    message: str

    def as_dict(self) -> dict[str, str]:
        return {"code": self.code, "message": self.message}


#: How each reason to leave words out of a transcript is told.
_WHY_LEFT_OUT = {
    "nobody": "where nobody speaks",
    "guess": "only guessed, with hardly a voice to be heard",
    "loop": "repeated in a loop",
}


def words_filtered(left_out: Mapping[str, int]) -> tuple[Warn, ...]:
    """Tells of words that were left out of a transcript, given as their number by reason; nothing where none was."""
    total = sum(left_out.values())
    if total == 0:
        return ()
    reasons = ", ".join(f"{words} {_WHY_LEFT_OUT[reason]}" for reason, words in left_out.items() if words)
    subject = "1 word was" if total == 1 else f"{total} words were"
    return (Warn("words_filtered", f"{subject} left out as invented: {reasons}."),)


@dataclass(frozen=True, slots=True)
class JobRequest:
    """The fields of an upload, checked. `time` and `streamer` come back unchanged."""

    streamer: str
    language: str
    game: str
    time: str
    title: str
    speech_language: str | None = None
    #: Of a summary that is made anew: the job it comes from, another model, words added to the instruction.
    parent_task_id: str | None = None
    summary_model: str | None = None
    extra_instruction: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a job in work last said of itself; lives in Redis only, and is refined by the row.

    progress: per cent, 0…99. eta_s: estimated seconds until the end, None while unknown.
    """

    state: JobState
    progress: int = 0
    transcription: str | None = None
    partial_summary: str | None = None
    eta_s: float | None = None


@dataclass(frozen=True, slots=True)
class JobStatus:
    """One job as a poller sees it: the row, refined by a snapshot where there is one."""

    state: JobState
    progress: int
    transcription: str | None = None
    partial_summary: str | None = None
    eta_s: float | None = None
    model_server_missing: bool = False
    warnings: tuple[Warn, ...] = ()
    #: What is written about stretches of a recording so far: start and end in seconds, text.
    notes: tuple[dict[str, Any], ...] = ()
    result: dict[str, Any] | None = None
    error: str | None = None
    error_code: str | None = None

    def body(self) -> dict[str, Any]:
        """The JSON of `GET /summarize/status/{task_id}`; names, types and texts are fixed by old clients."""
        match self.state:
            case JobState.QUEUED:
                return {"status": "pending", "progress": 0, "message": MESSAGE_WAITING}
            case JobState.DONE:
                return {
                    "status": "done",
                    "progress": 100,
                    "current_step": "done",
                    "result": self.result,
                    "warnings": [warning.as_dict() for warning in self.warnings],
                }
            case JobState.FAILED:
                body = error_body(self.error or "", self.error_code or "internal_error")
                # A summary that failed takes no words away.
                return body if self.transcription is None else body | {"transcription": self.transcription}
            case JobState.TRANSCRIBING:
                return self._processing("transcribing", MESSAGE_TRANSCRIBING)
            case JobState.TRANSCRIBED:
                return self._processing("transcription_complete", MESSAGE_TRANSCRIBED)
            case JobState.SUMMARIZING:
                return self._processing("summarizing", MESSAGE_SUMMARIZING)

    def _processing(self, step: str, message: str) -> dict[str, Any]:
        body: dict[str, Any] = {
            "status": "processing",
            "progress": self.progress,
            "current_step": step,
            "message": MESSAGE_NO_MODEL_SERVER if self.model_server_missing else message,
            "transcription": self.transcription,
        }
        if self.partial_summary is not None:
            body["partial_summary"] = self.partial_summary
        if self.notes:
            body["notes"] = list(self.notes)
        if self.eta_s is not None:
            body["eta_s"] = round(self.eta_s, 1)
        if self.warnings:
            body["warnings"] = [warning.as_dict() for warning in self.warnings]
        return body


def error_body(error: str, code: str) -> dict[str, Any]:
    """The JSON of every error, of a job or of a request: old clients look at `status` only."""
    return {
        "status": "error",
        "progress": 0,
        "current_step": "error",
        "error": error,
        "message": MESSAGE_ERROR,
        "code": code,
    }


@dataclass(frozen=True, slots=True)
class JobResult:
    """What a finished job delivers."""

    text: str
    summary: str
    summary_source: str
    model: str | None
    speech_language: str | None
    segments: list[dict[str, Any]] = field(default_factory=list)
    warnings: tuple[Warn, ...] = ()
    prompt_version: str | None = None

    def body(self, request: JobRequest) -> dict[str, Any]:
        """The JSON under `result`."""
        parent = {"parent_task_id": request.parent_task_id} if request.parent_task_id else {}
        return parent | {
            "text": self.text,
            "summary": self.summary,
            "time": request.time,
            "streamerName": request.streamer,
            "summary_source": self.summary_source,
            "model": self.model,
            "prompt_version": self.prompt_version,
            "speech_language": self.speech_language,
            "segments": self.segments,
            "warnings": [warning.as_dict() for warning in self.warnings],
        }


class Stage(StrEnum):
    """What a claim is for, and with it the time it may take and where its wake-up waits."""

    TRANSCRIBE = "transcribe"
    SUMMARIZE = "summarize"


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a job, or on one part of it, until the lease or the deadline is out.

    Every write carries `attempt`; one that is no longer the row's is refused. Times are in seconds of
    sound; `time_left_s` counts from the moment of the claim to its deadline.
    """

    task_id: str
    stage: Stage
    #: The row's fencing token; `job_attempt` is the job's own where the claim is for a part.
    attempt: int
    job_attempt: int
    worker: str
    request: JobRequest
    kind: JobKind
    time_left_s: float
    #: Seconds from the last byte of the upload to the claim.
    waited_s: float = 0.0
    audio_key: str | None = None
    container: str | None = None
    audio_s: float | None = None
    part_index: int | None = None
    start_s: float = 0.0
    end_s: float = 0.0
    transcript: dict[str, Any] | None = None
    warnings: tuple[Warn, ...] = ()
    #: Whether an earlier attempt at this stage ended in nothing.
    tried: bool = False

    @property
    def may_have_company(self) -> bool:
        """A chunk, or a part of a recording, that nobody has tried yet.

        One that was tried goes alone: if it has killed its process, it takes no neighbours with it again.
        """
        return not self.tried and (self.kind is JobKind.LIVE or self.part_index is not None)


@dataclass(frozen=True, slots=True)
class WakeUp:
    """A message to be sent: some worker should look at this job. `number` makes Celery's id unique."""

    task_id: str
    stage: Stage
    kind: JobKind
    number: int


def transcript_text(transcript: dict[str, Any]) -> str:
    """All words of a stored transcript in one line."""
    return " ".join(segment["text"] for segment in transcript["segments"] if segment["text"])
