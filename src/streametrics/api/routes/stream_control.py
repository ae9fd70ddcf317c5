"""Routes by which the owner of streams has a say in them: pause, resume, and a stretch is forgotten."""

from anyio import to_thread
from fastapi import APIRouter, BackgroundTasks, Request

from streametrics.api.dependencies import KnownParameters, PrincipalOf, StateOf
from streametrics.api.json_body import body_of, checked, read_object
from streametrics.api.openapi import problems
from streametrics.api.stream_bodies import Stream, stream_body
from streametrics.api.stream_control_bodies import ForgetLast, ForgetSpan, ForgottenBody, forgotten_body
from streametrics.errors import InvalidRequest

#: Room for two numbers, however they are written.
MAX_BODY_BYTES = 1_000
_REASONS = {
    404: "The caller has no such stream.",
    409: "The stream has ended, or is not that long yet.",
    410: "The stream was erased.",
    422: "A field is missing, too large or not valid.",
    503: "The database is away; what was carried out is not undone, and the call can be repeated.",
}

router = APIRouter(prefix="/v1", tags=["streams"], dependencies=[KnownParameters])


@router.post(
    "/streams/{stream_id}/forget",
    summary="Forget what was said in a stretch of a stream, for good",
    operation_id="forgetInStream",
    response_model=ForgottenBody,
    openapi_extra=body_of(ForgetSpan, ForgetLast),
    responses=problems(401, 403, 404, 409, 410, 422, 503, reasons=_REASONS),
)
async def forget(
    stream_id: str, request: Request, background: BackgroundTasks, state: StateOf, principal: PrincipalOf
) -> ForgottenBody:
    await to_thread.run_sync(state.streams.get, stream_id, principal)
    given = await read_object(request, max_bytes=MAX_BODY_BYTES)
    if "last_s" in given and len(given) > 1:
        raise InvalidRequest("Say either 'start' and 'end', or 'last_s' alone.")
    asked = checked(ForgetLast if "last_s" in given else ForgetSpan, given).model_dump()
    named = {name if name == "last_s" else f"{name}_s": seconds for name, seconds in asked.items()}
    done = await to_thread.run_sync(
        lambda: state.stream_control.forget(stream_id, principal, **named), limiter=state.admission.writers
    )
    background.add_task(state.stream_control.compact)  # when the answer is sent
    return forgotten_body(done)


@router.post(
    "/streams/{stream_id}/pause",
    summary="Pause a stream: no chunk of its streamer is heard until it goes on",
    operation_id="pauseStream",
    response_model=Stream,
    responses=problems(401, 403, 404, 409, 410, 422, 503, reasons=_REASONS),
)
def pause(stream_id: str, state: StateOf, principal: PrincipalOf) -> Stream:
    return stream_body(state.stream_control.pause(stream_id, principal))


@router.post(
    "/streams/{stream_id}/resume",
    summary="Let a streamer that has paused go on, also where the stream has ended meanwhile",
    operation_id="resumeStream",
    response_model=Stream,
    responses=problems(401, 403, 404, 410, 422, 503, reasons=_REASONS),
)
def resume(stream_id: str, state: StateOf, principal: PrincipalOf) -> Stream:
    return stream_body(state.stream_control.resume(stream_id, principal))
