"""Routes of `/v1/jobs`: jobs are listed and found, and their transcript and summary had in every format."""

from typing import Annotated, Literal

from anyio import to_thread
from fastapi import APIRouter, Query, Response
from fastapi.responses import PlainTextResponse

from streametrics.api.dependencies import PrincipalOf, State, StateOf
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
from streametrics.api.transcript_text import TEXT_CONTENT, TextFormat, subtitle_response, text_response
from streametrics.auth.principal import Principal
from streametrics.errors import JobNotReady
from streametrics.jobs.service import TranscriptSoFar
from streametrics.jobs.status_view import status_of
from streametrics.observability.logging import about_job

MAX_PAGE, PAGE = 100, 20

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

JobId = str
#: Described as paths of their own: one answer of several types is more than generated clients can read.
_Format = Annotated[Literal["json", "txt", "srt", "vtt"], Query(include_in_schema=False)]


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
        200: {"description": "The transcript, whole or as far as it has come."},
        **problems(401, 403, 404, 409, 410, 422, 503),
    },
)
def get_transcript(
    job_id: JobId, state: StateOf, principal: PrincipalOf, format: _Format = "json"
) -> TranscriptBody | Response:
    found = state.jobs.transcript(job_id, principal)
    return transcript_body(found) if format == "json" else _transcript_as(found, format)


@router.get(
    "/{job_id}/transcript.{format}",
    summary="A job's words as text (`txt`) or subtitles (`srt`, `vtt`)",
    operation_id="getTranscriptText",
    response_class=Response,
    responses={
        200: {"description": "The transcript, whole or as far as it has come.", "content": TEXT_CONTENT},
        **problems(401, 403, 404, 409, 410, 422, 503),
    },
)
def get_transcript_text(job_id: JobId, format: TextFormat, state: StateOf, principal: PrincipalOf) -> Response:
    return _transcript_as(state.jobs.transcript(job_id, principal), format)


def _transcript_as(found: TranscriptSoFar, format: TextFormat) -> Response:
    if format == "txt":
        return text_response(found.text)
    if found.transcript is None:
        raise JobNotReady("Of this chunk only the text is known yet, without times: ask again in a moment.")
    return subtitle_response(found.transcript, format)


@router.get(
    "/{job_id}/summary",
    summary="A job's summary, from its first words on",
    operation_id="getSummary",
    response_model=SummaryBody,
    responses={
        200: {"description": "The summary, whole or as far as it has come."},
        **problems(401, 403, 404, 409, 410, 422, 503),
    },
)
def get_summary(
    job_id: JobId,
    state: StateOf,
    principal: PrincipalOf,
    format: Annotated[Literal["json", "txt"], Query(include_in_schema=False)] = "json",
) -> SummaryBody | Response:
    body = _summary(job_id, state, principal)
    return body if format == "json" else text_response(body.text)


@router.get(
    "/{job_id}/summary.txt",
    summary="A job's summary as text",
    operation_id="getSummaryText",
    response_class=PlainTextResponse,
    responses={
        200: {"description": "The summary, whole or as far as it has come."},
        **problems(401, 403, 404, 409, 410, 422, 503),
    },
)
def get_summary_text(job_id: JobId, state: StateOf, principal: PrincipalOf) -> Response:
    return text_response(_summary(job_id, state, principal).text)


def _summary(job_id: JobId, state: State, principal: Principal) -> SummaryBody:
    """Render a job's summary. Raises JobNotReady while there is none."""
    record, status = state.jobs.row_and_status(job_id, principal)
    body = summary_body(record, status)
    if body is None:
        reason = f"it failed: {record.error}" if record.state.is_final else "it is not written yet: ask again later"
        raise JobNotReady(f"This job has no summary, as {reason}.".replace("..", "."))
    return body
