"""Renders errors as HTTP responses: one body for all, which old clients can read, and problems below `/v1`."""

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from streametrics.api import openai_bodies, problems
from streametrics.domain.status import error_body
from streametrics.errors import StreametricsError

#: Where OpenAI's clients call.
OPENAI_PATHS = ("/v1/audio", "/v1/models")
#: "Policy violation" in the websocket protocol; before the handshake the server makes it a 403.
_CLOSED_BY_POLICY = 1008


def error_response(error: StreametricsError, path: str = "") -> JSONResponse:
    """Make the response to a request that failed; below `/v1` it is a problem."""
    is_problem = problems.is_below(path)
    # Its clients also call what is not there, such as /v1/chat/completions.
    if path.startswith(OPENAI_PATHS) or (is_problem and isinstance(error, problems.FrameworkRefusal)):
        return openai_bodies.error_response(error)
    if is_problem:
        return problems.problem_response(error)
    return JSONResponse(error_body(str(error), error.code), status_code=error.status, headers=error.headers)


async def refuse(error: StreametricsError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request that may not reach the routes."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": _CLOSED_BY_POLICY})
    else:
        await error_response(error, scope["path"])(scope, receive, send)
