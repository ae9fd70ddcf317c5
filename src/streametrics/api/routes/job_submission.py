"""Routes that make jobs below `/v1`: of sound, and of the transcript of another one."""

import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from streametrics.api.dependencies import (
    IdempotencyKey,
    KnownParameters,
    PrincipalOf,
    State,
    StateOf,
    receive_upload,
    repetition_of,
)
from streametrics.api.forms import form_body, text_field
from streametrics.api.idempotency import call_of, replayed, said
from streametrics.api.job_bodies import Job, job_body
from streametrics.api.model_name import model_names
from streametrics.api.openapi import problems
from streametrics.api.rate_limit import rate_limit
from streametrics.api.resummarize_request import read_resummarize_request, resummarize_schema
from streametrics.auth.principal import Principal
from streametrics.domain.job import JobKind
from streametrics.errors import JobExpired
from streametrics.observability.logging import about_job
from streametrics.uploads.job_fields import CHOICES, LIMITS, JobFields, read_job_fields

logger = logging.getLogger(__name__)

#: The routes of calls that may be repeated.
CREATE, RESUMMARIZE = "POST /v1/jobs", "POST /v1/jobs/{id}/resummarize"

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], dependencies=[KnownParameters])

_ABOUT = {
    "kind": "`live` for a chunk that somebody waits for; `recording` waits behind all chunks. Else the length decides.",
    "model": "The Whisper model; the installed one.",
    "speech_language": "What is spoken; detected where it is left out.",
    "summary_language": "What the summary is written in; where it is left out, the language that is spoken.",
    "summary": "`none`, a `short` one, or a `long` one with key moments. Else the length decides.",
    "track": "The sound track: `auto`, `mix`, or its number from 1.",
}


def _field(name: str) -> dict[str, Any]:
    """Describe a field of the form."""
    about = {"description": _ABOUT[name]} if name in _ABOUT else {}
    if name in CHOICES:
        return {"type": "string", "enum": ["", *CHOICES[name]], **about}
    return text_field(name, LIMITS[name]) | about


_ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "model": Job,
        "description": "Accepted. `Location` is the job's address.",
        "headers": {
            "Location": {"schema": {"type": "string"}},
            "Idempotent-Replayed": {"schema": {"type": "string"}, "description": "`true` for a repetition."},
        },
    }
}


@router.post(
    "",
    status_code=202,
    summary="Send sound to be transcribed and summarized",
    operation_id="createJob",
    openapi_extra=form_body({name: _field(name) for name in LIMITS}, is_closed=True),
    responses=_ACCEPTED | problems(401, 403, 410, 413, 415, 422, 429, 503),
)
async def create_job(
    request: Request, state: StateOf, principal: PrincipalOf, idempotency_key: IdempotencyKey = None
) -> Response:
    names = model_names(state.connections.settings.whisper_model)

    def read_fields(fields: Mapping[str, list[str]], whisper_model: str) -> JobFields:
        return read_job_fields(fields, whisper_model, names)

    upload = await receive_upload(
        request,
        state,
        read_fields,
        wants_hash=idempotency_key is not None,
        is_repetition=repetition_of(state, principal, CREATE, idempotency_key),
    )
    asked = upload.fields
    kind = asked.kind or upload.kind
    call = call_of(CREATE, idempotency_key, principal, upload.sha256, said(asked.sent))

    def make() -> str:
        return state.jobs.accept(
            asked.request,
            kind=kind,
            audio_key=upload.audio_key,
            container=upload.container,
            owner=principal.owner,
            is_kept=True,
            # A chunk is of a stream; a recording of an evening past is not.
            joins_stream=asked.kind is JobKind.LIVE and bool(asked.request.streamer.strip()),
            call=call,
        )

    job_id, is_replay = await to_thread.run_sync(
        lambda: state.jobs.once(call, make, audio_key=upload.audio_key), limiter=state.admission.writers
    )
    with about_job(job_id):
        logger.info("event=%s kind=%s container=%s", "replayed" if is_replay else "accepted", kind, upload.container)
    return await _answer(job_id, is_replay, state, principal)


@router.post(
    "/{job_id}/resummarize",
    status_code=202,
    summary="Summarize a finished job's transcript anew, as a job of its own",
    operation_id="resummarizeJob",
    openapi_extra=resummarize_schema(below_v1=True),
    responses=_ACCEPTED | problems(401, 403, 404, 409, 410, 422, 429, 503),
)
async def resummarize_job(
    job_id: str, request: Request, state: StateOf, principal: PrincipalOf, idempotency_key: IdempotencyKey = None
) -> Response:
    asked = await read_resummarize_request(request.headers.get("content-type", ""), request.stream(), below_v1=True)
    call = call_of(RESUMMARIZE, idempotency_key, principal, job_id, said(asdict(asked)))

    await state.admission.check_waiting(repetition_of(state, principal, RESUMMARIZE, idempotency_key))

    def make() -> str:
        return state.jobs.resummarize(
            job_id,
            language=asked.language,
            model=asked.model,
            extra_instruction=asked.extra_instruction,
            length=asked.length,
            principal=principal,
            call=call,
        )

    new_job_id, is_replay = await to_thread.run_sync(
        lambda: state.jobs.once(call, make), limiter=state.admission.writers
    )
    with about_job(new_job_id):
        logger.info("event=%s parent=%s", "replayed" if is_replay else "accepted_resummarize", job_id)
    return await _answer(new_job_id, is_replay, state, principal)


async def _answer(job_id: str, is_replay: bool, state: State, principal: Principal) -> Response:
    """Answer with the job as it is now: a repetition may find it further on. Raises JobExpired."""

    def read() -> Job:
        record, status = state.jobs.row_and_status(job_id, principal)
        return job_body(record, status, keep_s=state.jobs.keep_s)

    try:
        body = await to_thread.run_sync(read)
    except JobExpired as expired:
        raise JobExpired(
            "The job that this Idempotency-Key made was erased: send the request with a new key."
        ) from expired
    headers = {"Location": f"/v1/jobs/{job_id}", **replayed(is_replay), **await rate_limit(state)}
    return JSONResponse(body.model_dump(mode="json"), status_code=202, headers=headers)
