"""The main job: sound in, a task's id out; its progress and its result by that id."""

import logging
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from streametrics.errors import InvalidRequest, JobExpired
from streametrics.job import error_body
from streametrics.logs import about_job
from streametrics.redo import REDO_FIELDS, redo_request
from streametrics.rendering import error_response
from streametrics.routes.state import CallerOf, StateOf
from streametrics.uploads import FIELD_LIMITS, FILE_FIELD, OPTIONAL_FIELDS

logger = logging.getLogger(__name__)

router = APIRouter(prefix="/summarize")


def _form_schema() -> dict[str, Any]:
    """The form is read as it streams in, so the framework cannot derive its description from a signature."""
    texts = {name: {"type": "string", "maxLength": limit} for name, limit in (FIELD_LIMITS | OPTIONAL_FIELDS).items()}
    schema = {
        "type": "object",
        "required": [FILE_FIELD, *FIELD_LIMITS],
        "properties": {FILE_FIELD: {"type": "string", "format": "binary"}, **texts},
    }
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


def _redo_schema() -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {name: {"type": "string", "maxLength": limit} for name, limit in REDO_FIELDS.items()},
    }
    kinds = ("application/x-www-form-urlencoded", "application/json")
    return {"requestBody": {"required": False, "content": {kind: {"schema": schema} for kind in kinds}}}


# Both spellings are one route: a redirect would make a client send its upload twice.
@router.post("", include_in_schema=False)
@router.post("/", summary="Send sound to be transcribed and summarised", openapi_extra=_form_schema())
async def submit(request: Request, state: StateOf, caller: CallerOf) -> JSONResponse:
    length = request.headers.get("content-length", "")
    try:
        upload = await state.uploads.receive(
            request.headers.get("content-type", ""),
            int(length) if length.isdigit() else None,
            request.stream(),
            waits=request.headers.get("expect", "").lower() == "100-continue",
        )
    except ClientDisconnect:
        # Nobody is left to read this; nothing was kept.
        return error_response(InvalidRequest("The upload ended before its form did: send it again."))

    def accept() -> str:
        return state.jobs.accept(
            upload.request,
            kind=upload.kind,
            audio_key=upload.audio_key,
            container=upload.container,
            owner=caller.owner,
        )

    task_id = await to_thread.run_sync(accept)
    with about_job(task_id):
        logger.info("event=accepted kind=%s container=%s", upload.kind, upload.container)
    return JSONResponse({"task_id": task_id})


@router.post(
    "/{task_id}/resummarize",
    summary="Summarise a finished job's transcript anew, as a job of its own",
    openapi_extra=_redo_schema(),
)
async def resummarize(task_id: str, request: Request, state: StateOf, caller: CallerOf) -> JSONResponse:
    await state.admission.check_waiting()
    asked = await redo_request(request.headers.get("content-type", ""), request.stream())

    def redo() -> str:
        return state.jobs.redo(
            task_id,
            language=asked.language,
            model=asked.model,
            extra_instruction=asked.extra_instruction,
            caller=caller,
        )

    redone_id = await to_thread.run_sync(redo)
    with about_job(redone_id):
        logger.info("event=accepted_redo parent=%s", task_id)
    return JSONResponse({"task_id": redone_id})


@router.delete("/{task_id}/", include_in_schema=False)
@router.delete("/{task_id}", status_code=202, summary="Stop a job, or erase the data of one that has ended")
def cancel(task_id: str, state: StateOf, caller: CallerOf) -> JSONResponse:
    """Answers what a poll of its status answers from then on."""
    with about_job(task_id):
        state.jobs.cancel(task_id, caller)
    try:
        body = state.jobs.status(task_id, caller).body()
    except JobExpired as expired:
        body = error_body(str(expired), expired.code)
    return JSONResponse(body, status_code=202)
