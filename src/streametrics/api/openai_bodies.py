"""Renders transcripts and errors in the forms of OpenAI's audio API."""

import json
import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from streametrics.api import problems
from streametrics.api.described import Absent, Described
from streametrics.domain.transcript import SpeechTask, Transcript
from streametrics.errors import IdempotencyKeyReused, JobCancelled, JobFailed, StreametricsError
from streametrics.text import languages
from streametrics.uploads.openai_fields import UnsupportedValue

#: What clients raise by: the kind of error of each status; others are `api_error`.
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    410: "invalid_request_error",
    413: "invalid_request_error",
    415: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}
#: A client of OpenAI's knows 400 for whatever is wrong with a request, and retries no such.
_STATUSES = {422: 400, 415: 400}
#: Ends of a job that another try does not change: the sound is at fault.
_FAULTS_OF_SOUND = ("audio_unreadable", "track_missing", "audio_too_long", "audio_unsupported", "worker_lost")


class Usage(BaseModel):
    """What was transcribed."""

    type: Literal["duration"]
    seconds: int = Field(ge=0, description="Rounded up.", examples=[13])


class Transcription(BaseModel):
    """The words, in the form of `json`."""

    text: str = Field(examples=["Welcome back, everybody."])
    usage: Usage


class TranscribedSegment(BaseModel):
    """A stretch of speech, in seconds. The numbers about decoding are neutral, as they are not stored."""

    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: list[int]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float


class TranscribedWord(BaseModel):
    """A word and when it is said, in seconds."""

    word: str
    start: float
    end: float


class VerboseTranscription(Described):
    """The words with their times, in the form of `verbose_json`."""

    task: Literal["transcribe"]
    language: str = Field(description="Its English name.", examples=["english"])
    duration: float
    text: str
    segments: list[TranscribedSegment]
    words: list[TranscribedWord] | Absent = Field(
        default=None, description="Where `timestamp_granularities[]` names `word`."
    )
    usage: Usage


class Translation(BaseModel):
    """The words in English, in the form of `json`."""

    text: str = Field(examples=["Welcome back, everybody."])


class VerboseTranslation(Described):
    """The words in English with the times of what was said, in the form of `verbose_json`."""

    task: Literal["translate"]
    language: str = Field(description="Of the words: English.", examples=["english"])
    duration: float
    text: str
    segments: list[TranscribedSegment]


class Model(Described):
    """A model that transcribes here."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    id: str = Field(examples=["whisper-1"])
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "streametrics"


class ModelList(Described):
    """The models that transcribe here."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    object: Literal["list"] = "list"
    data: list[Model]


class TranscriptionEnded(StreametricsError):
    """The job behind a transcription has ended without one."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code
        # A client repeats what is answered with 500, and so would start again what somebody has stopped.
        self.status = 410 if code == JobCancelled.code else 400 if code in _FAULTS_OF_SOUND else 500


class ModelUnknown(StreametricsError):
    """There is no such model here: GET /v1/models lists those that there are."""

    code, status = "model_not_found", 404


def error_object(error: StreametricsError) -> dict[str, Any]:
    """Render an error as OpenAI does, under `error`: all four members are required."""
    status = _status(error)
    return {
        "message": str(error),
        "type": _TYPES.get(status, "api_error"),
        "param": error.param if isinstance(error, UnsupportedValue) else None,
        "code": "invalid_api_key" if status == 401 else error.code,
    }


def error_response(error: StreametricsError) -> JSONResponse:
    """Make the response to a request that failed: a problem that also carries OpenAI's `error`, in one body."""
    body = problems.body_of(_status(error), error.code, str(error), error.faults) | {"error": error_object(error)}
    return JSONResponse(body, status_code=_status(error), headers=error.headers, media_type=problems.MEDIA_TYPE)


def _status(error: StreametricsError) -> int:
    if isinstance(error, IdempotencyKeyReused):
        return error.status  # what the header's draft asks for; such a client sends keys of its own
    return _STATUSES.get(error.status, error.status)


def ended(error: str | None, code: str | None) -> TranscriptionEnded:
    """Make the error of a job that has ended without a transcript."""
    return TranscriptionEnded(error or str(JobFailed()), code or JobFailed.code)


def usage(audio_s: float) -> dict[str, Any]:
    return {"type": "duration", "seconds": math.ceil(audio_s)}


def verbose(
    transcript: Transcript, audio_s: float, granularities: frozenset[str], *, task: SpeechTask = "transcribe"
) -> dict[str, Any]:
    """Render `verbose_json`. What an engine's statistics would be is not stored: these members are neutral."""
    body: dict[str, Any] = {
        "task": task,
        "language": languages.english_name(transcript.language or "en").lower(),
        "duration": round(audio_s, 3),
        "text": transcript.text,
        "segments": [
            {
                "id": number,
                "seek": 0,
                "start": round(segment.start, 3),
                "end": round(segment.end, 3),
                "text": segment.text,
                "tokens": [],
                "temperature": 0.0,
                "avg_logprob": 0.0,
                "compression_ratio": 1.0,
                "no_speech_prob": 0.0,
            }
            for number, segment in enumerate(transcript.segments)
        ],
    }
    if "word" in granularities:
        body["words"] = [
            {"word": word.text.strip(), "start": round(word.start, 3), "end": round(word.end, 3)}
            for segment in transcript.segments
            for word in segment.words
        ]
    return body


def event(data: dict[str, Any]) -> bytes:
    """Render an event of a stream: data alone, as a client takes other fields for empty segments."""
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
