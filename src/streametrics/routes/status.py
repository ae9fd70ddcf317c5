"""Polls: where a job stands, and its result."""

import math
from typing import Any

from fastapi import APIRouter, Request, Response

from streametrics.errors import InvalidRequest
from streametrics.routes.state import CallerOf, StateOf
from streametrics.statuses import MAX_WAIT_S

router = APIRouter(prefix="/summarize")

#: A status is old a moment later, and it is nobody else's.
_HEADERS = {"Cache-Control": "no-store"}


def _wait_parameter() -> dict[str, Any]:
    """Read by hand, so that a wrong value is refused in the words of this service; so it is described by hand too."""
    schema = {"type": "number", "minimum": 0, "default": 0}
    text = f"Answer as soon as the status changes, or after so many seconds (at most {MAX_WAIT_S:.0f})."
    return {"parameters": [{"name": "wait", "in": "query", "required": False, "schema": schema, "description": text}]}


@router.get("/status/{task_id}", summary="Where a job stands, and its result", openapi_extra=_wait_parameter())
async def status(task_id: str, request: Request, state: StateOf, caller: CallerOf) -> Response:
    wait_s = _wait_s(request)
    if wait_s > 0:
        answer = await state.statuses.answer_after_change(task_id, wait_s, caller)
    else:
        answer = await state.statuses.answer(task_id, caller)
    return Response(answer.body, headers=_HEADERS, media_type="application/json")


def _wait_s(request: Request) -> float:
    """The seconds that the client wants to wait at most. Raises InvalidRequest."""
    if not request.scope["query_string"]:
        return 0.0
    text = request.query_params.get("wait", "0")
    try:
        wait_s = float(text)
    except ValueError:
        wait_s = math.nan
    if not 0 <= wait_s < math.inf:
        raise InvalidRequest(f"'wait' is a number of seconds, from 0 to {MAX_WAIT_S:.0f}.")
    return wait_s
