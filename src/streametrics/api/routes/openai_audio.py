"""Routes of OpenAI's audio API: a transcription, or a translation, is a job that is waited for.

Each is also described on a path that ends in a format, where the answer is text.
"""

from typing import Any

from fastapi import APIRouter, Request, Response

from streametrics.api import openai_bodies
from streametrics.api.dependencies import IdempotencyKey, PrincipalOf, State, StateOf
from streametrics.api.forms import form_body
from streametrics.api.model_name import model_names
from streametrics.api.openai_jobs import TRANSCRIPTIONS, TRANSLATIONS, answer, job_of, stream_answer
from streametrics.api.openapi import openai_problems
from streametrics.api.transcript_text import TEXT_CONTENT, TextFormat
from streametrics.uploads.openai_fields import FILE_FIELD

#: One event of a stream, as it is described.
_EVENT = {
    "type": "object",
    "required": ["data"],
    "properties": {
        "data": {"type": "string", "description": "JSON: `transcript.text.delta`, `transcript.text.done`, or `error`."}
    },
}

router = APIRouter(prefix="/v1", tags=["OpenAI's audio API"])


_MODEL = {"type": "string", "description": "Any name; the installed Whisper model is what transcribes."}
_PROMPT = {"type": "string", "maxLength": 1000, "description": "Names and words to be spelled right."}
_LANGUAGE = {"type": "string", "format": "speech-language", "description": "Detected where it is left out."}
#: Answers of text are described as paths of their own, as a generated client reads one type of each path.
_FORMAT = {
    "type": "string",
    "enum": ["json", "verbose_json"],
    "default": "json",
    "description": "`text`, `srt` and `vtt` too, whose answers are text: see the paths that end in `.{format}`.",
}
_TEXT_FIELDS: dict[str, dict[str, Any]] = {"model": _MODEL, "language": _LANGUAGE, "prompt": _PROMPT}
_FIELDS: dict[str, dict[str, Any]] = {
    **_TEXT_FIELDS,
    "response_format": _FORMAT,
    "timestamp_granularities[]": {"type": "array", "items": {"type": "string", "enum": ["segment", "word"]}},
    "stream": {"type": "string", "enum": ["true", "false"], "default": "false"},
}
_REFUSALS = openai_problems(400, 401, 403, 410, 413, 422, 429, 503)
_AS_TEXT: dict[int | str, dict[str, Any]] = {
    200: {"description": "The words as text or subtitles.", "content": TEXT_CONTENT},
    **_REFUSALS,
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
            "description": "The words; `verbose_json` is the longer form.",
            # The default first: a generated client reads by the first type alone.
            "content": {"application/json": {}, "text/event-stream": {"schema": _EVENT}},
        },
        **_REFUSALS,
    },
)
async def transcribe(
    request: Request, state: StateOf, principal: PrincipalOf, idempotency_key: IdempotencyKey = None
) -> Response:
    asked = await job_of(request, state, principal, idempotency_key, TRANSCRIPTIONS)
    if asked.fields.stream:
        return stream_answer(asked, state, principal)
    return await answer(asked, request, state, principal)


@router.post(
    "/audio/translations",
    summary="Translate what is said in a file into English, as OpenAI's API does",
    operation_id="createTranslation",
    openapi_extra=form_body(_TEXT_FIELDS | {"response_format": _FORMAT}, file_field=FILE_FIELD),
    response_class=Response,
    responses={
        200: {
            "model": openai_bodies.Translation | openai_bodies.VerboseTranslation,
            "description": "The words in English; `verbose_json` is the longer form.",
        },
        **_REFUSALS,
    },
)
async def translate(
    request: Request, state: StateOf, principal: PrincipalOf, idempotency_key: IdempotencyKey = None
) -> Response:
    asked = await job_of(request, state, principal, idempotency_key, TRANSLATIONS)
    return await answer(asked, request, state, principal)


@router.post(
    "/audio/transcriptions.{format}",
    summary="Transcribe a file and wait for its words as text (`txt`) or subtitles (`srt`, `vtt`)",
    operation_id="createTranscriptionText",
    openapi_extra=form_body(_TEXT_FIELDS, file_field=FILE_FIELD),
    response_class=Response,
    responses=_AS_TEXT,
)
async def transcribe_to_text(
    format: TextFormat,
    request: Request,
    state: StateOf,
    principal: PrincipalOf,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    asked = await job_of(request, state, principal, idempotency_key, TRANSCRIPTIONS, format)
    return await answer(asked, request, state, principal)


@router.post(
    "/audio/translations.{format}",
    summary="Translate what is said into English, as text (`txt`) or subtitles (`srt`, `vtt`)",
    operation_id="createTranslationText",
    openapi_extra=form_body(_TEXT_FIELDS, file_field=FILE_FIELD),
    response_class=Response,
    responses=_AS_TEXT,
)
async def translate_to_text(
    format: TextFormat,
    request: Request,
    state: StateOf,
    principal: PrincipalOf,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    asked = await job_of(request, state, principal, idempotency_key, TRANSLATIONS, format)
    return await answer(asked, request, state, principal)


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
