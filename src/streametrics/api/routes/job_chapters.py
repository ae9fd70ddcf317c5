"""Routes of the chapters of a job: a recording divided as a stream is."""

from fastapi import APIRouter, Response

from streametrics.api.chapter_text import CHAPTERS_CONTENT, chapters_response
from streametrics.api.dependencies import HiddenChapterFormat, KnownParameters, PrincipalOf, State, StateOf
from streametrics.api.openapi import problems
from streametrics.api.recap_bodies import JobChapterList, job_chapter_list, listed
from streametrics.auth.principal import Principal
from streametrics.text.chapter_lists import ChapterFormat

_REASONS = {409: "The job has no words yet, or too few chapters for YouTube: `detail` says which."}

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["jobs"], dependencies=[KnownParameters])


@router.get(
    "/chapters",
    summary="A job's chapters, from the first words on",
    operation_id="listJobChapters",
    response_model=JobChapterList,
    responses={
        200: {"description": "The chapters; the last one is open while words are still to come."},
        **problems(401, 403, 404, 409, 410, 422, 503, reasons=_REASONS),
    },
)
def list_chapters(
    job_id: str, state: StateOf, principal: PrincipalOf, format: HiddenChapterFormat = "json"
) -> JobChapterList | Response:
    if format != "json":
        return _written(state, principal, job_id, format)
    found = state.jobs.transcript(job_id, principal)
    return job_chapter_list(found, state.recaps.of_job(found))


@router.get(
    "/chapters.{format}",
    summary="A job's chapters for YouTube, in Markdown, as WebVTT, or as FFmpeg takes them",
    operation_id="getJobChaptersText",
    response_class=Response,
    responses={
        200: {"description": "The chapters so far.", "content": CHAPTERS_CONTENT},
        **problems(401, 403, 404, 409, 410, 422, 503, reasons=_REASONS),
    },
)
def get_chapters_text(job_id: str, format: ChapterFormat, state: StateOf, principal: PrincipalOf) -> Response:
    return _written(state, principal, job_id, format)


def _written(state: State, principal: Principal, job_id: str, format: ChapterFormat) -> Response:
    chapters = state.recaps.of_job(state.jobs.transcript(job_id, principal))
    return chapters_response(listed(chapters, 0.0), format)
