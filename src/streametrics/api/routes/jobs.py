"""Routes of `/v1/jobs`: jobs are listed and found, and their transcript and summary had in every format."""

from typing import Annotated, Literal

from anyio import to_thread
from fastapi import APIRouter, Query, Response

from streametrics.api.dependencies import PrincipalOf, StateOf
from streametrics.api.job_bodies import (
    ALL_STATES,
    STATES,
    Job,
    JobList,
    Status,
    SummaryBody,
    TranscriptBody,
    job_body,
    next_cursor,
    read_cursor,
    summary_body,
    transcript_body,
)
from streametrics.api.openapi import problems
from streametrics.errors import JobNotReady
from streametrics.jobs.status_view import status_of
from streametrics.observability.logging import about_job
from streametrics.text import subtitles

MAX_PAGE, PAGE = 100, 20
_MEDIA_TYPES = {"txt": "text/plain", "srt": "application/x-subrip", "vtt": "text/vtt"}

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

JobId = str


@router.get(
    "",
    summary="List jobs, the newest first",
    operation_id="listJobs",
    response_model=JobList,
    responses=problems(401, 403, 422, 503),
)
async def list_jobs(
    state: StateOf,
    principal: PrincipalOf,
    status: Annotated[Status | None, Query(description="Only those.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="The most on one page.")] = PAGE,
    cursor: Annotated[
        str | None,
        Query(max_length=200, description="`next_cursor` of the page before.", json_schema_extra={"format": "cursor"}),
    ] = None,
) -> JobList:
    before = None if cursor is None else read_cursor(cursor)
    states = ALL_STATES if status is None else STATES[status]

    def read() -> JobList:
        records = state.jobs.page(principal, states=states, before=before, limit=limit)
        return JobList(
            data=[job_body(record, status_of(record, None), keep_s=state.jobs.keep_s) for record in records],
            next_cursor=next_cursor(records, limit),
        )

    return await to_thread.run_sync(read)


@router.get(
    "/{job_id}",
    summary="Where a job stands",
    operation_id="getJob",
    response_model=Job,
    responses=problems(401, 403, 404, 410, 422, 503),
)
def get_job(job_id: JobId, state: StateOf, principal: PrincipalOf) -> Job:
    record, status = state.jobs.row_and_status(job_id, principal)
    return job_body(record, status, keep_s=state.jobs.keep_s)


@router.delete(
    "/{job_id}",
    status_code=204,
    response_class=Response,
    summary="Stop a job, or erase the data of one that has ended",
    operation_id="deleteJob",
    responses=problems(401, 403, 404, 422, 503),
)
def delete_job(job_id: JobId, state: StateOf, principal: PrincipalOf) -> None:
    with about_job(job_id):
        state.jobs.cancel(job_id, principal)


@router.get(
    "/{job_id}/transcript",
    summary="A job's words, from the first ones on",
    operation_id="getTranscript",
    response_model=TranscriptBody,
    responses={
        200: {
            "description": "The transcript, whole or as far as it has come.",
            "content": {media_type: {"schema": {"type": "string"}} for media_type in _MEDIA_TYPES.values()},
        },
        **problems(401, 403, 404, 409, 410, 422, 503),
    },
)
def get_transcript(
    job_id: JobId,
    state: StateOf,
    principal: PrincipalOf,
    format: Annotated[
        Literal["json", "txt", "srt", "vtt"], Query(description="`srt` and `vtt` are subtitles.")
    ] = "json",
) -> TranscriptBody | Response:
    found = state.jobs.transcript(job_id, principal)
    if format == "json":
        return transcript_body(found)
    if format == "txt":
        return Response(f"{found.text}\n", media_type=_MEDIA_TYPES["txt"])
    if found.transcript is None:
        raise JobNotReady("Of this chunk only the text is known yet, without times: ask again in a moment.")
    text = subtitles.render(found.transcript, format)
    return Response(text, media_type=f"{_MEDIA_TYPES[format]}; charset=utf-8")


@router.get(
    "/{job_id}/summary",
    summary="A job's summary, from its first words on",
    operation_id="getSummary",
    response_model=SummaryBody,
    responses={
        200: {
            "description": "The summary, whole or as far as it has come.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
        **problems(401, 403, 404, 409, 410, 422, 503),
    },
)
def get_summary(
    job_id: JobId,
    state: StateOf,
    principal: PrincipalOf,
    format: Annotated[Literal["json", "txt"], Query()] = "json",
) -> SummaryBody | Response:
    record, status = state.jobs.row_and_status(job_id, principal)
    body = summary_body(record, status)
    if body is None:
        reason = f"it failed: {record.error}" if record.state.is_final else "it is not written yet: ask again later"
        raise JobNotReady(f"This job has no summary, as {reason}.".replace("..", "."))
    return body if format == "json" else Response(f"{body.text}\n", media_type="text/plain")
