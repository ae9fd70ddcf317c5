"""Routes that submit, resummarize and cancel jobs."""

import logging
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from streametrics.api.dependencies import PrincipalOf, StateOf, receive_upload
from streametrics.api.forms import form_body, text_field
from streametrics.api.openapi import Status, answered, linked, refusals
from streametrics.api.resummarize_request import read_resummarize_request, resummarize_schema
from streametrics.domain.status import error_body
from streametrics.errors import JobExpired
from streametrics.observability.logging import about_job
from streametrics.uploads.fields import FIELD_LIMITS, MAY_BE_EMPTY, NO_NULL, OPTIONAL_FIELDS, VISIBLE, last_values

logger = logging.getLogger(__name__)

router = APIRouter(prefix="/summarize")


def _form_schema() -> dict[str, Any]:
    texts = {name: _text(name, limit) for name, limit in (FIELD_LIMITS | OPTIONAL_FIELDS).items()}
    return form_body(texts, required=tuple(FIELD_LIMITS))


def _text(name: str, limit: int) -> dict[str, Any]:
    """Describe a text field: not blank where it may not be empty."""
    return text_field(name, limit, pattern=NO_NULL if name in MAY_BE_EMPTY else rf"^[^\x00]*{VISIBLE}[^\x00]*$")


# Both spellings are one route: a redirect would make a client send its upload twice.
@router.post("", include_in_schema=False)
@router.post(
    "/",
    summary="Send sound to be transcribed and summarized",
    operation_id="submit",
    openapi_extra=_form_schema(),
    responses=linked("status", "resummarize", "cancel") | refusals(401, 403, 413, 415, 422, 429, 503),
)
async def submit(request: Request, state: StateOf, principal: PrincipalOf) -> JSONResponse:
    upload = await receive_upload(request, state, last_values)

    def accept() -> str:
        return state.jobs.accept(
            upload.fields,
            kind=upload.kind,
            audio_key=upload.audio_key,
            container=upload.container,
            owner=principal.owner,
            joins_stream=True,
        )

    task_id = await to_thread.run_sync(accept, limiter=state.admission.writers)
    with about_job(task_id):
        logger.info("event=accepted kind=%s container=%s", upload.kind, upload.container)
    return JSONResponse({"task_id": task_id})


@router.post(
    "/{task_id}/resummarize",
    summary="Summarize a finished job's transcript anew, as a job of its own",
    operation_id="resummarize",
    openapi_extra=resummarize_schema(),
    responses=linked("status", "resummarize", "cancel") | refusals(401, 403, 404, 409, 410, 422, 429, 503),
)
async def resummarize(task_id: str, request: Request, state: StateOf, principal: PrincipalOf) -> JSONResponse:
    await state.admission.check_waiting()
    asked = await read_resummarize_request(request.headers.get("content-type", ""), request.stream())

    def resummarize() -> str:
        return state.jobs.resummarize(
            task_id,
            language=asked.language,
            model=asked.model,
            extra_instruction=asked.extra_instruction,
            principal=principal,
        )

    new_task_id = await to_thread.run_sync(resummarize, limiter=state.admission.writers)
    with about_job(new_task_id):
        logger.info("event=accepted_resummarize parent=%s", task_id)
    return JSONResponse({"task_id": new_task_id})


@router.delete("/{task_id}/", include_in_schema=False)
@router.delete(
    "/{task_id}",
    status_code=202,
    summary="Stop a job, or erase the data of one that has ended",
    operation_id="cancel",
    responses=answered(202, "What a poll answers from now on.", Status) | refusals(401, 403, 404, 410, 422, 503),
)
def cancel(task_id: str, state: StateOf, principal: PrincipalOf) -> JSONResponse:
    """Answers what a poll of its status answers from then on."""
    with about_job(task_id):
        state.jobs.cancel(task_id, principal)
    try:
        body = state.jobs.status(task_id, principal).body()
    except JobExpired as expired:
        body = error_body(str(expired), expired.code)
    return JSONResponse(body, status_code=202)
