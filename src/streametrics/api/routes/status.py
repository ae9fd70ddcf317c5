"""The route of polls: a job's status, and its result."""

import math
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.datastructures import QueryParams

from streametrics.api.dependencies import PrincipalOf, State, StateOf
from streametrics.api.openapi import Status, answered, refusals
from streametrics.auth.principal import Principal
from streametrics.errors import DatabaseUnavailable, InvalidRequest
from streametrics.status.reader import MAX_WAIT_S
from streametrics.status.response_cache import CachedResponse

PREFIX = "/summarize/status/"

router = APIRouter()


def _wait_parameter() -> dict[str, Any]:
    """Describe `wait`, which is read by hand so that a wrong value is refused in the words of this service."""
    schema = {"type": "number", "minimum": 0, "default": 0}
    text = f"Answer as soon as the status changes, or after so many seconds (at most {MAX_WAIT_S:.0f})."
    return {"parameters": [{"name": "wait", "in": "query", "required": False, "schema": schema, "description": text}]}


@router.get(
    PREFIX + "{task_id}",
    summary="Where a job stands, and its result",
    operation_id="status",
    openapi_extra=_wait_parameter(),
    responses=answered(200, "Where it stands.", Status)
    | answered(503, "Its row cannot be read for more than a minute, so this says `processing`.", Status)
    | refusals(401, 403, 404, 410, 422),
)
async def status(task_id: str, request: Request, state: StateOf, principal: PrincipalOf) -> Response:
    answer = await answer_poll(state, principal, task_id, request.scope["query_string"])
    headers = {"Cache-Control": "no-store"} | (DatabaseUnavailable.headers if answer.http_status != 200 else {})
    return Response(answer.body, status_code=answer.http_status, headers=headers, media_type="application/json")


async def answer_poll(state: State, principal: Principal, task_id: str, query: bytes) -> CachedResponse:
    wait_s = _wait_s(query) if query else 0.0
    if wait_s > 0:
        return await state.status_reader.answer_after_change(task_id, wait_s, principal)
    return await state.status_reader.answer(task_id, principal)


def _wait_s(query: bytes) -> float:
    """Parse the seconds that the client wants to wait at most. Raises InvalidRequest."""
    text = QueryParams(query).get("wait", "0")
    try:
        wait_s = float(text)
    except ValueError:
        wait_s = math.nan
    if not 0 <= wait_s < math.inf:
        raise InvalidRequest(f"'wait' is a number of seconds, from 0 to {MAX_WAIT_S:.0f}.")
    return wait_s
