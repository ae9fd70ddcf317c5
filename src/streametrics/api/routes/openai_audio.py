"""Routes of OpenAI's audio API: a transcription is a job without a summary, waited for.

The job goes on when its client leaves, and an equal request finds it: OpenAI's clients repeat a call that was cut off.
"""

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from streametrics.api import openai_bodies
from streametrics.api.dependencies import IdempotencyKey, PrincipalOf, State, StateOf, receive_upload
from streametrics.api.forms import form_body
from streametrics.api.idempotency import call_of, replayed
from streametrics.api.model_name import model_names
from streametrics.api.openapi import openai_problems
from streametrics.api.rate_limit import rate_limit
from streametrics.api.transcript_text import TEXT_CONTENT, subtitle_response, text_response
from streametrics.auth.principal import Principal
from streametrics.domain.job import JobRequest
from streametrics.domain.transcript import Transcript
from streametrics.errors import StreametricsError
from streametrics.observability.logging import about_job
from streametrics.uploads.openai_fields import FILE_FIELD, FORMATS, TranscriptionFields, read_transcription_fields

#: The longest wait for a change before the client is looked after, in seconds; in a stream a comment follows.
WAIT_S = 10.0
#: What keeps a proxy from holding events back: nginx holds back whatever it may.
_UNBUFFERED = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
#: One event of a stream, as it is described.
_EVENT = {
    "type": "object",
    "required": ["data"],
    "properties": {
        "data": {"type": "string", "description": "JSON: `transcript.text.delta`, `transcript.text.done`, or `error`."}
    },
}

router = APIRouter(prefix="/v1", tags=["OpenAI's audio API"])


@dataclass(frozen=True, slots=True)
class _Ended:
    transcript: Transcript
    audio_s: float


@dataclass(frozen=True, slots=True)
class _Asked:
    """The job of a request, what is asked of it, and headers of the answer."""

    task_id: str
    fields: TranscriptionFields
    headers: dict[str, str]


_FIELDS: dict[str, dict[str, Any]] = {
    "model": {"type": "string", "description": "Any name; the installed Whisper model is what transcribes."},
    "language": {
        "type": "string",
        "format": "speech-language",
        "description": "Detected where it is left out.",
    },
    "prompt": {"type": "string", "maxLength": 1000, "description": "Names and words to be spelled right."},
    "response_format": {"type": "string", "enum": list(FORMATS), "default": "json"},
    "timestamp_granularities[]": {"type": "array", "items": {"type": "string", "enum": ["segment", "word"]}},
    "stream": {"type": "string", "enum": ["true", "false"], "default": "false"},
}


@router.post(
    "/audio/transcriptions",
    summary="Transcribe a file and wait for its words, as OpenAI's API does",
    operation_id="createTranscription",
    openapi_extra=form_body(_FIELDS, file_field=FILE_FIELD),
    response_class=Response,
    responses={
        200: {
            "model": openai_bodies.Transcription | openai_bodies.VerboseTranscription,
            "description": "The words, in the format asked for; `verbose_json` is the longer form.",
            # The default first: a generated client reads by the first type alone.
            "content": {"application/json": {}} | TEXT_CONTENT | {"text/event-stream": {"schema": _EVENT}},
        },
        **openai_problems(400, 401, 403, 410, 413, 422, 429, 503),
    },
)
async def transcribe(
    request: Request, state: StateOf, principal: PrincipalOf, idempotency_key: IdempotencyKey = None
) -> Response:
    asked = await _job_of(request, state, principal, idempotency_key)
    if asked.fields.stream:
        events = _events(asked.task_id, state, principal)
        return StreamingResponse(events, media_type="text/event-stream", headers=asked.headers | _UNBUFFERED)
    while (found := await _ended(asked.task_id, state, principal)) is None:
        await state.status_reader.answer_after_change(asked.task_id, WAIT_S, principal)
        if await request.is_disconnected():
            return Response(status_code=499)  # nobody reads it
    answer = await to_thread.run_sync(_rendered, found, asked.fields)  # subtitles of hours take a while
    answer.headers.update(asked.headers)
    return answer


async def _job_of(request: Request, state: State, principal: Principal, idempotency_key: str | None) -> _Asked:
    """Find the job of an equal request of the last hour, or make one of this upload."""
    upload = await receive_upload(request, state, read_transcription_fields, file_field=FILE_FIELD, wants_hash=True)
    asked = upload.fields
    request_hash = _hash_of(upload.sha256, asked.request)
    call = call_of(
        "POST /v1/audio/transcriptions",
        idempotency_key,
        principal,
        request_hash,
        [asked.response_format, asked.stream, sorted(asked.granularities)],
    )

    def make() -> str:
        equal = state.jobs.find_equal(request_hash, principal.owner)
        if equal is not None:
            state.jobs.discard(upload.audio_key)
            return equal if call is None else state.jobs.remember(call, equal)
        return state.jobs.accept(
            asked.request,
            kind=upload.kind,
            audio_key=upload.audio_key,
            container=upload.container,
            owner=principal.owner,
            request_hash=request_hash,
            call=call,
        )

    # One at a time: of two equal requests at once the second finds the first one's job.
    async with state.equal_requests:
        task_id, is_replay = await to_thread.run_sync(
            lambda: state.jobs.once(call, make, audio_key=upload.audio_key, tries_again=True),
            limiter=state.admission.writers,
        )
    return _Asked(task_id, asked, {**replayed(is_replay), **await rate_limit(state)})


def _hash_of(sha256: str, request: JobRequest) -> str:
    asked = json.dumps([sha256, request.speech_language, request.title], ensure_ascii=True)
    return hashlib.sha256(asked.encode()).hexdigest()


async def _ended(task_id: str, state: State, principal: Principal) -> _Ended | None:
    """Read the transcript of a job that has one whole; None while it has not. Raises TranscriptionEnded."""

    def read() -> _Ended | None:
        record, transcript = state.jobs.whole_transcript(task_id, principal)
        if transcript is not None:
            ends = [segment.end for segment in transcript.segments]
            return _Ended(transcript, record.audio_s or max(ends, default=0.0))
        if record.state.is_final:
            raise openai_bodies.ended(record.error, record.error_code)
        return None

    with about_job(task_id):
        return await to_thread.run_sync(read)


def _rendered(found: _Ended, fields: TranscriptionFields) -> Response:
    transcript = found.transcript
    match fields.response_format:
        case "json":
            return JSONResponse({"text": transcript.text, "usage": openai_bodies.usage(found.audio_s)})
        case "verbose_json":
            return JSONResponse(openai_bodies.verbose(transcript, found.audio_s, fields.granularities))
        case "text":
            return text_response(transcript.text)
        case "srt" | "vtt" as kind:
            return subtitle_response(transcript, kind)


async def _events(task_id: str, state: State, principal: Principal) -> AsyncIterator[bytes]:
    """Yield what is new of the text as it grows, a comment where nothing is, and the whole at the end."""
    told = ""
    try:
        while (found := await _ended(task_id, state, principal)) is None:
            answer = await state.status_reader.answer_after_change(task_id, WAIT_S, principal)
            so_far = json.loads(answer.body).get("transcription") or ""
            if so_far.startswith(told) and so_far != told:
                yield openai_bodies.event({"type": "transcript.text.delta", "delta": so_far[len(told) :]})
                told = so_far
            else:
                yield b": working\n\n"
        text = found.transcript.text
        if text.startswith(told) and text != told:
            yield openai_bodies.event({"type": "transcript.text.delta", "delta": text[len(told) :]})
        usage = openai_bodies.usage(found.audio_s)
        yield openai_bodies.event({"type": "transcript.text.done", "text": text, "usage": usage})
    except StreametricsError as error:
        yield openai_bodies.event({"error": openai_bodies.error_object(error)})


@router.get(
    "/models",
    summary="List the models",
    operation_id="listModels",
    response_model=openai_bodies.ModelList,
    responses=openai_problems(401, 403),
)
async def list_models(state: StateOf) -> openai_bodies.ModelList:
    return openai_bodies.ModelList(data=[openai_bodies.Model(id=name) for name in _models(state)])


@router.get(
    "/models/{model_id}",
    summary="One model",
    operation_id="getModel",
    response_model=openai_bodies.Model,
    responses=openai_problems(401, 403, 404, 422),
)
async def get_model(model_id: str, state: StateOf) -> openai_bodies.Model:
    if model_id not in _models(state):
        raise openai_bodies.ModelUnknown
    return openai_bodies.Model(id=model_id)


def _models(state: State) -> list[str]:
    return model_names(state.connections.settings.whisper_model)
