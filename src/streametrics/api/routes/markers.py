"""Routes of a stream's markers: places that a person has named."""

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from streametrics.api.dependencies import (
    PAGE,
    IdempotencyKey,
    KnownParameters,
    NumberCursor,
    PageLimit,
    PrincipalOf,
    StateOf,
)
from streametrics.api.idempotency import call_of, replayed
from streametrics.api.job_bodies import instant
from streametrics.api.json_body import body_of, checked, read_object
from streametrics.api.openapi import problems
from streametrics.api.paging import number_cursor, one_page, read_number
from streametrics.api.stream_control_bodies import MOST_S
from streametrics.database.markers import Marker
from streametrics.database.streams import StreamRecord

#: Room for a description, however it is escaped.
MAX_BODY_BYTES = 4_000
#: The longest description, in characters: as long as platforms take them.
MAX_DESCRIPTION = 140
_REASONS = {
    404: "The caller has no such stream.",
    409: "The stream is not that long yet, or has as many markers as it may have.",
    410: "The stream, or the marker that a call with this Idempotency-Key made, was erased.",
    422: "A field is too long or not valid.",
    503: "The database is away: nothing was added.",
}

router = APIRouter(prefix="/v1/streams/{stream_id}/markers", tags=["streams"], dependencies=[KnownParameters])


class MarkerWanted(BaseModel):
    """What is to be marked."""

    model_config = ConfigDict(extra="forbid")

    description: str = Field(
        default="", max_length=MAX_DESCRIPTION, pattern=r"^[^\x00]*$", examples=["The rook is lost"]
    )
    position_s: float | None = Field(
        default=None,
        ge=0,
        le=MOST_S,
        allow_inf_nan=False,
        description="In seconds, as the transcript counts with `offset=upload`; left out, where the stream stands now.",
        examples=[3912.4],
    )


class MarkerBody(BaseModel):
    """A place in a stream."""

    id: str = Field(examples=["mrk_5f0c1d2e3a4b5c6d"])
    stream_id: str = Field(examples=["strm_5f0c1d2e3a4b5c6d"])
    position_s: float = Field(description="In seconds from the first chunk on.", examples=[3912.4])
    description: str = Field(examples=["The rook is lost"])
    created_at: str = Field(examples=["2026-11-30T19:13:02.000Z"])


class MarkerList(BaseModel):
    """A page of markers, the newest first."""

    data: list[MarkerBody]
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last one.")


@router.get(
    "",
    summary="List a stream's markers, the newest first",
    operation_id="listMarkers",
    response_model=MarkerList,
    responses=problems(401, 403, 404, 410, 422, 503, reasons=_REASONS),
)
def list_markers(
    stream_id: str, state: StateOf, principal: PrincipalOf, limit: PageLimit = PAGE, cursor: NumberCursor = None
) -> MarkerList:
    stream = state.streams.get(stream_id, principal)
    found = state.connections.markers.page(stream.number, before=read_number(cursor), limit=limit + 1)
    page, cursor_behind = one_page(found, limit, lambda marker: number_cursor(marker.number))
    return MarkerList(data=[_body(stream, marker) for marker in page], next_cursor=cursor_behind)


@router.post(
    "",
    status_code=201,
    summary="Mark a place in a stream",
    operation_id="createMarker",
    response_model=MarkerBody,
    openapi_extra=body_of(MarkerWanted),
    responses=problems(401, 403, 404, 409, 410, 422, 503, reasons=_REASONS),
)
async def create_marker(
    stream_id: str,
    request: Request,
    response: Response,
    state: StateOf,
    principal: PrincipalOf,
    idempotency_key: IdempotencyKey = None,
) -> MarkerBody:
    stream = await to_thread.run_sync(state.streams.get, stream_id, principal)
    wanted = checked(MarkerWanted, await read_object(request, max_bytes=MAX_BODY_BYTES))
    call = call_of("POST /v1/streams/{id}/markers", idempotency_key, principal, stream_id, wanted.model_dump())
    marker, is_replay = await to_thread.run_sync(
        lambda: state.stream_control.mark(stream, wanted.position_s, wanted.description, call),
        limiter=state.admission.writers,
    )
    response.headers.update(replayed(is_replay))
    return _body(stream, marker)


def _body(stream: StreamRecord, marker: Marker) -> MarkerBody:
    return MarkerBody(
        id=marker.id,
        stream_id=stream.id,
        position_s=round(marker.position_s - stream.start_s, 3),
        description=marker.description,
        created_at=instant(marker.created_at),
    )
