"""Routes of `/v1/streams`, `/v1/streamers` and `/v1/search`: streams with their words and coverage."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response

from streametrics.api.dependencies import (
    PAGE,
    HiddenFormat,
    KnownParameters,
    NumberCursor,
    PageLimit,
    PrincipalOf,
    State,
    StateOf,
)
from streametrics.api.openapi import problems
from streametrics.api.paging import number_cursor, one_page, read_number
from streametrics.api.recap_bodies import StreamWithRecaps, stream_with_recaps
from streametrics.api.routes.recaps import CHARS
from streametrics.api.stream_bodies import (
    CoverageBody,
    SearchHits,
    Status,
    Stream,
    StreamerList,
    StreamList,
    StreamTranscriptBody,
    coverage_body,
    search_hit,
    stream_body,
    stream_text,
    stream_transcript_body,
    streamer_body,
    subtitled,
)
from streametrics.api.transcript_text import TEXT_CONTENT, TextFormat, subtitle_response, text_response
from streametrics.database.streams import StreamRecord
from streametrics.jobs.recaps import RecapScope
from streametrics.jobs.streams import StreamTranscript, TimesFrom
from streametrics.streams.streamer_keys import key_in_path

#: The longest query, in characters.
MAX_QUERY = 200
_REASONS = {
    404: "The caller has no such stream.",
    409: "The times that are asked for are not known: `detail` says what to send.",
    410: "The stream, or its words, were erased.",
}

router = APIRouter(prefix="/v1", tags=["streams"], dependencies=[KnownParameters])

StreamerName = Annotated[
    str | None, Query(max_length=1000, description="Only this streamer's: a name or a key.", examples=["Zoé_TV"])
]
Seconds = Annotated[
    float | None, Query(ge=0, le=1e9, allow_inf_nan=False, description="In seconds, as `offset` counts.")
]
Offset = Annotated[
    Literal["upload", "stream", "clock"],
    Query(description="Times count from the first chunk, from the broadcast's beginning, or from midnight (UTC)."),
]


@router.get(
    "/streams",
    summary="List streams, the newest first",
    operation_id="listStreams",
    response_model=StreamList,
    responses=problems(401, 403, 422, 503, reasons=_REASONS),
)
def list_streams(
    state: StateOf,
    principal: PrincipalOf,
    streamer: StreamerName = None,
    status: Annotated[Status | None, Query(description="Only those.")] = None,
    limit: PageLimit = PAGE,
    cursor: NumberCursor = None,
) -> StreamList:
    found = state.streams.page(
        principal,
        streamer=streamer,
        is_live=None if status is None else status != "ended",
        is_paused=None if status in (None, "ended") else status == "paused",
        before=read_number(cursor),
        limit=limit + 1,
    )
    page, cursor_behind = one_page(found, limit, lambda stream: number_cursor(stream.number))
    return StreamList(data=[stream_body(stream) for stream in page], next_cursor=cursor_behind)


@router.get(
    "/streams/{stream_id}",
    summary="Where a stream stands",
    operation_id="getStream",
    response_model=StreamWithRecaps,
    responses=problems(401, 403, 404, 410, 422, 503, reasons=_REASONS),
)
def get_stream(stream_id: str, state: StateOf, principal: PrincipalOf) -> StreamWithRecaps:
    return _told(state, state.streams.get(stream_id, principal))


@router.delete(
    "/streams/{stream_id}",
    status_code=204,
    response_class=Response,
    summary="Erase a stream with its words",
    operation_id="deleteStream",
    responses=problems(401, 403, 404, 422, 503, reasons=_REASONS),
)
def delete_stream(stream_id: str, state: StateOf, principal: PrincipalOf) -> None:
    state.streams.erase(stream_id, principal)


@router.post(
    "/streams/{stream_id}/end",
    summary="End a stream: the next chunk begins another one",
    operation_id="endStream",
    response_model=Stream,
    responses=problems(401, 403, 404, 410, 422, 503, reasons=_REASONS),
)
def end_stream(stream_id: str, state: StateOf, principal: PrincipalOf) -> Stream:
    return stream_body(state.streams.end(stream_id, principal))


@router.get(
    "/streams/{stream_id}/coverage",
    summary="How much of a stream was heard, and why the rest was not",
    operation_id="getStreamCoverage",
    response_model=CoverageBody,
    responses=problems(401, 403, 404, 410, 422, 503, reasons=_REASONS),
)
def get_coverage(stream_id: str, state: StateOf, principal: PrincipalOf) -> CoverageBody:
    stream = state.streams.get(stream_id, principal)
    return coverage_body(stream, state.streams.coverage(stream))


@router.get(
    "/streams/{stream_id}/transcript",
    summary="A stream's words",
    operation_id="getStreamTranscript",
    response_model=StreamTranscriptBody,
    responses={
        200: {"description": "The words that were heard so far."},
        **problems(401, 403, 404, 409, 410, 422, 503, reasons=_REASONS),
    },
)
def get_stream_transcript(
    stream_id: str,
    state: StateOf,
    principal: PrincipalOf,
    format: HiddenFormat = "json",
    offset: Offset = "upload",
    start: Seconds = None,
    end: Seconds = None,
) -> StreamTranscriptBody | Response:
    found = state.streams.transcript(stream_id, principal, times=TimesFrom(offset), start_s=start, end_s=end)
    return stream_transcript_body(found, offset) if format == "json" else _transcript_as(found, format)


@router.get(
    "/streams/{stream_id}/transcript.{format}",
    summary="A stream's words as text (`txt`) or subtitles (`srt`, `vtt`)",
    operation_id="getStreamTranscriptText",
    response_class=Response,
    responses={
        200: {"description": "The words that were heard so far.", "content": TEXT_CONTENT},
        **problems(401, 403, 404, 409, 410, 422, 503, reasons=_REASONS),
    },
)
def get_stream_transcript_text(
    stream_id: str,
    format: TextFormat,
    state: StateOf,
    principal: PrincipalOf,
    offset: Offset = "upload",
    start: Seconds = None,
    end: Seconds = None,
) -> Response:
    found = state.streams.transcript(stream_id, principal, times=TimesFrom(offset), start_s=start, end_s=end)
    return _transcript_as(found, format)


def _transcript_as(found: StreamTranscript, format: TextFormat) -> Response:
    return text_response(stream_text(found, "\n")) if format == "txt" else subtitle_response(subtitled(found), format)


@router.get(
    "/streamers",
    summary="List the streamers of whom there are streams",
    operation_id="listStreamers",
    response_model=StreamerList,
    responses=problems(401, 403, 422, 503, reasons=_REASONS),
)
def list_streamers(
    state: StateOf, principal: PrincipalOf, limit: PageLimit = PAGE, cursor: NumberCursor = None
) -> StreamerList:
    found = state.streams.streamers(principal, before=read_number(cursor), limit=limit + 1)
    page, cursor_behind = one_page(found, limit, lambda each: number_cursor(each.newest.number))
    return StreamerList(data=[streamer_body(each) for each in page], next_cursor=cursor_behind)


@router.get(
    "/streamers/{key}/stream",
    summary="A streamer's newest stream",
    operation_id="getStreamersStream",
    response_model=StreamWithRecaps,
    responses=problems(401, 403, 404, 422, 503, reasons=_REASONS),
)
def get_streamers_stream(
    key: Annotated[str, Path(description="The streamer's `key`, or the plain name.", examples=["zoé_tv"])],
    state: StateOf,
    principal: PrincipalOf,
) -> StreamWithRecaps:
    return _told(state, state.streams.newest(key_in_path(key), principal))


def _told(state: State, stream: StreamRecord) -> StreamWithRecaps:
    recaps = {
        scope: state.recaps.recap(stream, scope, most_letters=CHARS)
        for scope in (RecapScope.NOW, RecapScope.RECENT, RecapScope.STREAM)
    }
    return stream_with_recaps(stream, state.streams.coverage(stream), recaps, state.recaps.chapters(stream))


@router.get(
    "/search",
    summary="Find where something is said",
    operation_id="searchStreams",
    response_model=SearchHits,
    responses=problems(401, 403, 422, 503, reasons=_REASONS),
)
def search(
    state: StateOf,
    principal: PrincipalOf,
    q: Annotated[
        str,
        Query(
            min_length=1,
            max_length=MAX_QUERY,
            description="Words that are all said in one segment, without regard to case and accents; those that are "
            "joined by a sign, and Chinese, Japanese or Thai characters, in this order.",
            json_schema_extra={"format": "search"},
            examples=["rook"],
        ),
    ],
    streamer: StreamerName = None,
    limit: PageLimit = PAGE,
    cursor: NumberCursor = None,
) -> SearchHits:
    hits = state.streams.search(q, principal, streamer=streamer, before=read_number(cursor), limit=limit + 1)
    page, cursor_behind = one_page(hits, limit, lambda hit: number_cursor(hit.place))
    return SearchHits(data=[search_hit(hit) for hit in page], next_cursor=cursor_behind)
