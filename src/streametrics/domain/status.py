"""The status of a job as JSON; names, types and texts are fixed by old clients."""

from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict, cast

from streametrics.domain.job import JobRequest, JobState, Warn, WarnJson
from streametrics.domain.transcript import Note, TimedTextJson, Transcript
from streametrics.domain.warnings import PAUSED

MESSAGE_WAITING = "Task is waiting to be processed..."
MESSAGE_TRANSCRIBING = "Transcribing audio..."
MESSAGE_TRANSCRIBED = "Transcription complete. Generating summary..."
MESSAGE_SUMMARIZING = "Generating summary with Mistral..."
MESSAGE_ERROR = "An error occurred during processing"
MESSAGE_NO_MODEL_SERVER = "Warning: Mistral service may be unavailable. Proceeding with transcription..."


class KeyMomentJson(TypedDict):
    """What happened, and when: seconds from the beginning of the recording."""

    start: float
    text: str


class ResultJson(TypedDict):
    """The JSON under `result`: stored as it is sent, and sent as it was stored, for a result never changes."""

    parent_task_id: NotRequired[str]
    text: str
    summary: str
    time: str
    streamerName: str
    summary_source: str
    model: str | None
    prompt_version: str | None
    speech_language: str | None
    segments: list[TimedTextJson]
    warnings: list[WarnJson]
    key_moments: NotRequired[list[KeyMomentJson]]


def result_from_json(value: object) -> ResultJson | None:
    """Take a stored result as it is, whichever version has written it. Raises ValueError where it is no object."""
    if value is not None and not isinstance(value, dict):
        raise ValueError("a stored result is no object")
    return cast(ResultJson | None, value)


def transcript_in(result: ResultJson) -> Transcript:
    """Read the transcript out of a result. Raises ValueError."""
    return Transcript.from_json({"language": result["speech_language"], "segments": result["segments"]})


@dataclass(frozen=True, slots=True)
class JobStatus:
    """The status of one job for a poll: the row, refined by a snapshot where there is one."""

    state: JobState
    progress: int
    transcription: str | None = None
    partial_summary: str | None = None
    eta_s: float | None = None
    model_server_missing: bool = False
    warnings: tuple[Warn, ...] = ()
    #: What is written about stretches of a recording so far.
    notes: tuple[Note, ...] = ()
    result: ResultJson | None = None
    error: str | None = None
    error_code: str | None = None

    def body(self) -> dict[str, Any]:
        """Render the JSON of `GET /summarize/status/{task_id}`; names, types and texts are fixed by old clients."""
        match self.state:
            case JobState.QUEUED:
                return {"status": "pending", "progress": 0, "message": MESSAGE_WAITING}
            case JobState.DONE:
                return {
                    "status": "done",
                    "progress": 100,
                    "current_step": "done",
                    "result": self.result,
                    "warnings": [warning.to_json() for warning in self.warnings],
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
            body["notes"] = [note.to_json() for note in self.notes]
        if self.eta_s is not None:
            body["eta_s"] = round(self.eta_s, 1)
        if self.warnings:
            body["warnings"] = [warning.to_json() for warning in self.warnings]
        return body


def error_body(error: str, code: str) -> dict[str, Any]:
    """Render the JSON of every error, of a job or of a request: old clients look at `status` only."""
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

    transcript: Transcript
    summary: str
    summary_source: str
    model: str | None = None
    warnings: tuple[Warn, ...] = ()
    prompt_version: str | None = None
    #: Seconds from the beginning, and what happened then.
    key_moments: tuple[tuple[float, str], ...] = ()

    def to_json(self, request: JobRequest) -> ResultJson:
        """Render the JSON under `result`; the request adds the fields that clients get back unchanged."""
        body: ResultJson = {
            "text": self.transcript.text,
            "summary": self.summary,
            "time": request.time,
            "streamerName": request.streamer,
            "summary_source": self.summary_source,
            "model": self.model,
            "prompt_version": self.prompt_version,
            "speech_language": self.transcript.language,
            "segments": [segment.to_json() for segment in self.transcript.segments],
            "warnings": [warning.to_json() for warning in self.warnings],
        }
        if self.key_moments:
            body["key_moments"] = [{"start": start, "text": text} for start, text in self.key_moments]
        return {"parent_task_id": request.parent_task_id, **body} if request.parent_task_id else body


#: The result of a chunk that came while its streamer had paused.
NOT_HEARD = JobResult(Transcript((), None), summary="", summary_source="none", warnings=(PAUSED,))
