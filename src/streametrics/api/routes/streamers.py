"""Routes of one streamer's settings."""

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, BackgroundTasks, Path, Request

from streametrics.api.dependencies import KnownParameters, PrincipalOf, StateOf
from streametrics.api.json_body import body_of, checked, read_object
from streametrics.api.openapi import problems
from streametrics.api.streamer_bodies import StreamerChangeBody, StreamerSettingsBody, change_of, settings_body
from streametrics.streams.streamer_keys import key_in_path

#: Room for all hidden words, however they are escaped.
MAX_BODY_BYTES = 200_000
_REASONS = {
    404: "The caller has no such streamer.",
    422: "A field is too long or not valid.",
    503: "The database is away; the call can be repeated.",
}
StreamerKey = Annotated[str, Path(description="The streamer's `key`, or the plain name.", examples=["zoé_tv"])]

router = APIRouter(prefix="/v1/streamers", tags=["streams"], dependencies=[KnownParameters])


@router.get(
    "/{key}",
    summary="What is said about a streamer's streams",
    operation_id="getStreamer",
    response_model=StreamerSettingsBody,
    responses=problems(401, 403, 404, 422, 503, reasons=_REASONS),
)
def get_streamer(key: StreamerKey, state: StateOf, principal: PrincipalOf) -> StreamerSettingsBody:
    return settings_body(state.streamers.get(key_in_path(key), principal))


@router.patch(
    "/{key}",
    summary="Hide words of a streamer's, say how long streams are kept, pause",
    operation_id="changeStreamer",
    response_model=StreamerSettingsBody,
    openapi_extra=body_of(StreamerChangeBody),
    responses=problems(401, 403, 404, 422, 503, reasons=_REASONS),
)
async def change_streamer(
    key: StreamerKey, request: Request, background: BackgroundTasks, state: StateOf, principal: PrincipalOf
) -> StreamerSettingsBody:
    read_key = key_in_path(key)
    await to_thread.run_sync(state.streamers.get, read_key, principal)
    change = change_of(checked(StreamerChangeBody, await read_object(request, max_bytes=MAX_BODY_BYTES)))
    found, is_hidden = await to_thread.run_sync(
        state.streamers.change, read_key, principal, change, limiter=state.admission.writers
    )
    if not is_hidden:
        background.add_task(state.streamers.hide_rest, found)
    if change.hidden_words:
        background.add_task(state.stream_control.compact)
    return settings_body(found)
