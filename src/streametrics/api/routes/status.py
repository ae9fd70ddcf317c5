"""Polls: where a job stands, and its result."""

import math
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.datastructures import QueryParams
from starlette.types import ASGIApp, Receive, Scope, Send

from streametrics.api.dependencies import CallerOf, State, StateOf
from streametrics.api.error_responses import error_response
from streametrics.api.openapi import Status, answered, refusals
from streametrics.auth.principal import Caller
from streametrics.errors import InvalidRequest, StreametricsError
from streametrics.status.reader import MAX_WAIT_S
from streametrics.status.response_cache import Answer

PREFIX = "/summarize/status/"

router = APIRouter()


def _wait_parameter() -> dict[str, Any]:
    """Read by hand, so that a wrong value is refused in the words of this service; so it is described by hand too."""
    schema = {"type": "number", "minimum": 0, "default": 0}
    text = f"Answer as soon as the status changes, or after so many seconds (at most {MAX_WAIT_S:.0f})."
    return {"parameters": [{"name": "wait", "in": "query", "required": False, "schema": schema, "description": text}]}


@router.get(
    PREFIX + "{task_id}",
    summary="Where a job stands, and its result",
    operation_id="status",
    openapi_extra=_wait_parameter(),
    responses=answered(200, "Where it stands.", Status) | refusals(401, 403, 404, 410, 422, 503),
)
async def status(task_id: str, request: Request, state: StateOf, caller: CallerOf) -> Response:
    answer = await _answer(state, caller, task_id, request.scope["query_string"])
    return Response(answer.body, headers={"Cache-Control": "no-store"}, media_type="application/json")


class DirectPolls:
    """Answers polls before the framework looks for their route, which takes it longer than all the rest of a poll.

    Stands behind the guards; the route above describes it, and answers what this one lets pass.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        task_id = _polled_task(scope)
        if task_id is None:
            await self._app(scope, receive, send)
            return
        state: State = scope["app"].state.streametrics
        try:
            answer = await _answer(state, scope["state"]["caller"], task_id, scope["query_string"])
        except StreametricsError as error:
            await error_response(error)(scope, receive, send)
            return
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(answer.body)).encode()),
            # A status is old a moment later, and it is nobody else's.
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})


def _polled_task(scope: Scope) -> str | None:
    """The task's id, where the request is plainly a poll."""
    if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith(PREFIX):
        return None
    task_id: str = scope["path"][len(PREFIX) :]
    return task_id if task_id and "/" not in task_id else None


async def _answer(state: State, caller: Caller, task_id: str, query: bytes) -> Answer:
    wait_s = _wait_s(query) if query else 0.0
    if wait_s > 0:
        return await state.statuses.answer_after_change(task_id, wait_s, caller)
    return await state.statuses.answer(task_id, caller)


def _wait_s(query: bytes) -> float:
    """The seconds that the client wants to wait at most. Raises InvalidRequest."""
    text = QueryParams(query).get("wait", "0")
    try:
        wait_s = float(text)
    except ValueError:
        wait_s = math.nan
    if not 0 <= wait_s < math.inf:
        raise InvalidRequest(f"'wait' is a number of seconds, from 0 to {MAX_WAIT_S:.0f}.")
    return wait_s
