"""Finds or makes the job behind a call of OpenAI's audio API, waits for it, and renders its words.

The job goes on when its client leaves, and an equal request finds it: OpenAI's clients repeat a call that was cut off.
"""

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from streametrics.api import openai_bodies
from streametrics.api.dependencies import State, receive_upload, repetition_of
from streametrics.api.idempotency import call_of, replayed
from streametrics.api.rate_limit import rate_limit
from streametrics.api.transcript_text import TextFormat, subtitle_response, text_response
from streametrics.auth.principal import Principal
from streametrics.domain.job import JobRequest
from streametrics.domain.transcript import Transcript
from streametrics.errors import StreametricsError
from streametrics.observability.logging import about_job
from streametrics.uploads.openai_fields import (
    FILE_FIELD,
    AudioFields,
    read_transcription_fields,
    read_translation_fields,
)
from streametrics.uploads.receiver import ReadFields

#: The longest wait for a change before the client is looked after, in seconds; in a stream a comment follows.
WAIT_S = 10.0
#: What keeps a proxy from holding events back: nginx holds back whatever it may.
_UNBUFFERED = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


@dataclass(frozen=True, slots=True)
class _Ended:
    transcript: Transcript
    audio_s: float


@dataclass(frozen=True, slots=True)
class AskedJob:
    """The job of a request, what is asked of it, and headers of the answer."""

    task_id: str
    fields: AudioFields
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class AudioRoute:
    """What the two routes differ in. name: of calls that may be repeated."""

    name: str
    read_fields: ReadFields[AudioFields]


TRANSCRIPTIONS = AudioRoute("POST /v1/audio/transcriptions", read_transcription_fields)
TRANSLATIONS = AudioRoute("POST /v1/audio/translations", read_translation_fields)


async def answer(asked: AskedJob, request: Request, state: State, principal: Principal) -> Response:
    """Wait for the job and render its words."""
    while (found := await _ended(asked.task_id, state, principal)) is None:
        await state.status_reader.answer_after_change(asked.task_id, WAIT_S, principal)
        if await request.is_disconnected():
            return Response(status_code=499)  # nobody reads it
    rendered = await to_thread.run_sync(_rendered, found, asked.fields)  # subtitles of hours take a while
    rendered.headers.update(asked.headers)
    return rendered


async def job_of(
    request: Request,
    state: State,
    principal: Principal,
    idempotency_key: str | None,
    route: AudioRoute,
    text_format: TextFormat | None = None,
) -> AskedJob:
    """Find the job of an equal request of the last hour, or make one of this upload.

    text_format: in place of `response_format`.
    """
    upload = await receive_upload(
        request,
        state,
        route.read_fields,
        file_field=FILE_FIELD,
        wants_hash=True,
        is_repetition=repetition_of(state, principal, route.name, idempotency_key, tries_again=True),
    )
    asked = upload.fields if text_format is None else upload.fields.as_text(text_format)
    request_hash = _hash_of(upload.sha256, asked.request)
    call = call_of(
        route.name,
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
    return AskedJob(task_id, asked, {**replayed(is_replay), **await rate_limit(state)})


def _hash_of(sha256: str, request: JobRequest) -> str:
    asked = [sha256, request.speech_language, request.title]
    if request.speech_task != "transcribe":
        asked.append(request.speech_task)
    return hashlib.sha256(json.dumps(asked, ensure_ascii=True).encode()).hexdigest()


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


def _rendered(found: _Ended, fields: AudioFields) -> Response:
    transcript = found.transcript
    usage = {} if fields.request.speech_task == "translate" else {"usage": openai_bodies.usage(found.audio_s)}
    match fields.response_format:
        case "json":
            return JSONResponse({"text": transcript.text, **usage})
        case "verbose_json":
            body = openai_bodies.verbose(
                transcript, found.audio_s, fields.granularities, task=fields.request.speech_task
            )
            return JSONResponse(body | usage)
        case "text":
            return text_response(transcript.text)
        case "srt" | "vtt" as kind:
            return subtitle_response(transcript, kind)


def stream_answer(asked: AskedJob, state: State, principal: Principal) -> Response:
    """Answer with a stream of what is new of the words."""
    events = _events(asked.task_id, state, principal)
    return StreamingResponse(events, media_type="text/event-stream", headers=asked.headers | _UNBUFFERED)


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
