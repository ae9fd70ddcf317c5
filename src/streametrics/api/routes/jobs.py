"""Routes of `/v1/jobs`: jobs are listed and found, and their transcript and summary had in every format."""

from typing import Annotated, Literal

from anyio import to_thread
from fastapi import APIRouter, Query, Response
from fastapi.responses import PlainTextResponse

from streametrics.api.dependencies import (
    PAGE,
    HiddenFormat,
    KnownParameters,
    PageLimit,
    PlaceCursor,
    PrincipalOf,
    State,
    StateOf,
)
from streametrics.api.job_bodies import (
    ALL_STATES,
    STATES,
    Job,
    JobList,
    Status,
    SummaryBody,
    TranscriptBody,
    job_body,
    summary_body,
    transcript_body,
)
from streametrics.api.openapi import problems
from streametrics.api.paging import one_page, place_cursor, read_place
from streametrics.api.transcript_text import TEXT_CONTENT, TextFormat, subtitle_response, text_response
from streametrics.auth.principal import Principal
from streametrics.errors import JobNotReady
from streametrics.jobs.service import TranscriptSoFar
from streametrics.jobs.status_view import status_of
from streametrics.observability.logging import about_job
from streametrics.status.reader import MAX_WAIT_S

#: Of text and subtitles: whether they are whole, or of a job in work.
COMPLETE_HEADER = "X-Transcript-Complete"

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], dependencies=[KnownParameters])

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
    limit: PageLimit = PAGE,
    cursor: PlaceCursor = None,
) -> JobList:
    before = None if cursor is None else read_place(cursor)
    states = ALL_STATES if status is None else STATES[status]

    def read() -> JobList:
        found = state.jobs.page(principal, states=states, before=before, limit=limit + 1)
        page, cursor_behind = one_page(found, limit, lambda record: place_cursor(record.place))
        return JobList(
            data=[job_body(record, status_of(record, None), keep_s=state.jobs.keep_s) for record in page],
            next_cursor=cursor_behind,
        )

    return await to_thread.run_sync(read)


@router.get(
    "/{job_id}",
    summary="Where a job stands",
    operation_id="getJob",
    response_model=Job,
    responses=problems(401, 403, 404, 410, 422, 503),
)
async def get_job(
    job_id: JobId,
    state: StateOf,
    principal: PrincipalOf,
    wait: Annotated[
        float, Query(ge=0, le=MAX_WAIT_S, description="Answer at the next change, or after so many seconds.")
    ] = 0,
) -> Job:
    if wait:
        await state.status_reader.answer_after_change(job_id, wait, principal)
    record, status = await to_thread.run_sync(state.jobs.row_and_status, job_id, principal)
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
    job_id: JobId, state: StateOf, principal: PrincipalOf, format: HiddenFormat = "json"
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
        return _marked(text_response(found.text), found)
    if found.transcript is None:
        raise JobNotReady("Of this chunk only the text is known yet, without times: ask again in a moment.")
    return _marked(subtitle_response(found.transcript, format), found)


def _marked(answer: Response, found: TranscriptSoFar) -> Response:
    """Say whether the text is whole, which JSON says with `complete`."""
    answer.headers[COMPLETE_HEADER] = "true" if found.is_complete else "false"
    return answer


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
