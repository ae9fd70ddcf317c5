"""Routes of recaps and chapters below `/v1/streams`: what is told of a stream, at once and without a model."""

from functools import partial
from typing import Annotated, Literal

from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response

from streametrics.api.chapter_text import CHAPTERS_CONTENT, chapters_response
from streametrics.api.dependencies import HiddenChapterFormat, KnownParameters, PrincipalOf, State, StateOf
from streametrics.api.json_body import body_of, checked, read_object
from streametrics.api.openapi import problems
from streametrics.api.recap_bodies import (
    ChapterBody,
    ChapterEdit,
    ChapterList,
    RecapBody,
    chapter_body,
    chapter_list,
    listed,
    recap_body,
)
from streametrics.auth.principal import Principal
from streametrics.errors import InvalidRequest
from streametrics.jobs.recaps import RecapScope
from streametrics.jobs.streams import TimesFrom
from streametrics.text.chapter_lists import ChapterFormat

#: The most bytes of an edit: a summary, escaped.
MAX_BODY_BYTES = 20_000
#: The most characters of a recap: a page's; and where nothing is said, what is read in a minute.
MOST_CHARS, CHARS = 2000, 1200
_REASONS = {
    404: "The caller has no such stream, or it has no such chapter.",
    409: "The times that are asked for are not known, or there are too few chapters: `detail` says which.",
    410: "The stream was erased.",
}

router = APIRouter(prefix="/v1/streams/{stream_id}", tags=["streams"], dependencies=[KnownParameters])

MaxChars = Annotated[int, Query(ge=40, le=MOST_CHARS, description="The most characters of the text.")]
Offset = Annotated[
    Literal["upload", "stream"], Query(description="Times count from the first chunk, or the broadcast's beginning.")
]


@router.get(
    "/recap",
    summary="What is told of a stream: now, the last ten minutes, all of it, or since some time",
    operation_id="getStreamRecap",
    response_model=RecapBody,
    responses=problems(401, 403, 404, 409, 410, 422, 503, reasons=_REASONS),
)
def get_recap(
    stream_id: str,
    state: StateOf,
    principal: PrincipalOf,
    scope: Annotated[Literal["now", "recent", "stream"] | None, Query(description="`stream` by default.")] = None,
    since: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=40,
            description="Instead of a scope: an instant (RFC 3339 with its zone; seconds or milliseconds since 1970), "
            "`HH:MM:SS` in the broadcast, or how long ago (`20m`, `1h30m`).",
            json_schema_extra={"format": "since"},
            examples=["20m"],
        ),
    ] = None,
    max_chars: MaxChars = CHARS,
) -> RecapBody:
    if scope is not None and since is not None:
        raise InvalidRequest("'scope' and 'since' exclude each other: send one of them.")
    stream = state.streams.get(stream_id, principal)
    if since is not None:
        found = state.recaps.since(stream, since, most_letters=max_chars)
    else:
        found = state.recaps.recap(stream, RecapScope(scope or "stream"), most_letters=max_chars)
    return recap_body(stream, found, state.streams.coverage(stream))


@router.get(
    "/chapters",
    summary="A stream's chapters; the last one is open while it is live",
    operation_id="listStreamChapters",
    response_model=ChapterList,
    responses=problems(401, 403, 404, 409, 410, 422, 503, reasons=_REASONS),
)
def list_chapters(
    stream_id: str,
    state: StateOf,
    principal: PrincipalOf,
    format: HiddenChapterFormat = "json",
    offset: Annotated[Literal["upload", "stream"], Query(include_in_schema=False)] = "upload",
) -> ChapterList | Response:
    if format != "json":
        return _written(state, principal, stream_id, format, offset)
    if offset != "upload":
        raise InvalidRequest("Times in JSON count from the first chunk: 'offset' goes with the other formats.")
    stream = state.streams.get(stream_id, principal)
    return chapter_list(state.recaps.chapters(stream), state.streams.coverage(stream))


@router.get(
    "/chapters.{format}",
    summary="A stream's chapters for YouTube, in Markdown, as WebVTT, or as FFmpeg takes them",
    operation_id="getStreamChaptersText",
    response_class=Response,
    responses={
        200: {"description": "The chapters so far.", "content": CHAPTERS_CONTENT},
        **problems(401, 403, 404, 409, 410, 422, 503, reasons=_REASONS),
    },
)
def get_chapters_text(
    stream_id: str, format: ChapterFormat, state: StateOf, principal: PrincipalOf, offset: Offset = "upload"
) -> Response:
    return _written(state, principal, stream_id, format, offset)


def _written(
    state: State, principal: Principal, stream_id: str, format: ChapterFormat, offset: Literal["upload", "stream"]
) -> Response:
    stream = state.streams.get(stream_id, principal)
    zero_s = state.streams.zero_s(stream, TimesFrom(offset))
    return chapters_response(listed(state.recaps.chapters(stream).all, zero_s), format)


@router.patch(
    "/chapters/{chapter_id}",
    summary="Write a closed chapter's title or summary",
    operation_id="editStreamChapter",
    response_model=ChapterBody,
    responses=problems(401, 403, 404, 410, 422, 503, reasons=_REASONS),
    openapi_extra=body_of(ChapterEdit),
)
async def edit_chapter(
    stream_id: str, chapter_id: str, request: Request, state: StateOf, principal: PrincipalOf
) -> ChapterBody:
    edit = checked(ChapterEdit, await read_object(request, max_bytes=MAX_BODY_BYTES))
    if edit.title is None and edit.summary is None:
        raise InvalidRequest("There is nothing to change: send 'title' or 'summary'.")
    write = partial(state.recaps.edit_chapter, stream_id, chapter_id, principal, title=edit.title, summary=edit.summary)
    stream, chapter = await to_thread.run_sync(write, limiter=state.admission.writers)
    return chapter_body(chapter, zero_s=stream.start_s)
