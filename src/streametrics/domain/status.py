"""The status of a job as JSON; names, types and texts are fixed by old clients."""

from dataclasses import dataclass, field
from typing import Any

from streametrics.domain.job import JobRequest, JobState, Warn

MESSAGE_WAITING = "Task is waiting to be processed..."
MESSAGE_TRANSCRIBING = "Transcribing audio..."
MESSAGE_TRANSCRIBED = "Transcription complete. Generating summary..."
MESSAGE_SUMMARIZING = "Generating summary with Mistral..."
MESSAGE_ERROR = "An error occurred during processing"
MESSAGE_NO_MODEL_SERVER = "Warning: Mistral service may be unavailable. Proceeding with transcription..."


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
    #: What is written about stretches of a recording so far: start and end in seconds, text.
    notes: tuple[dict[str, Any], ...] = ()
    result: dict[str, Any] | None = None
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

    text: str
    summary: str
    summary_source: str
    model: str | None
    speech_language: str | None
    segments: list[dict[str, Any]] = field(default_factory=list)
    warnings: tuple[Warn, ...] = ()
    prompt_version: str | None = None

    def body(self, request: JobRequest) -> dict[str, Any]:
        """Render the JSON under `result`."""
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
