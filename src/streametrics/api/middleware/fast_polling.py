"""Answers polls, and questions for readiness, ahead of the framework's routing."""

from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from streametrics.api.dependencies import State
from streametrics.api.error_responses import error_response
from streametrics.api.routes.health import READY_PATH
from streametrics.api.routes.status import PREFIX, answer_poll
from streametrics.errors import DatabaseUnavailable, StreametricsError


class FastPollingMiddleware:
    """Answers polls before the framework looks for their route, which takes it longer than all the rest of a poll.

    Runs after the checks of origin and key; the route in `routes.status` describes polls, and answers what this one
    lets pass.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
        elif scope["path"] == READY_PATH:
            state: State = scope["app"].state.streametrics
            readiness = await state.health.answer(scope.get("client"))
            await _send(send, readiness.status_code, readiness.body)
        elif (task_id := _polled_task(scope)) is not None:
            await self._answer_poll(task_id, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _answer_poll(self, task_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        state: State = scope["app"].state.streametrics
        try:
            answer = await answer_poll(state, scope["state"]["principal"], task_id, scope["query_string"])
        except StreametricsError as error:
            await error_response(error)(scope, receive, send)
            return
        retry = [] if answer.http_status == 200 else list(DatabaseUnavailable.headers.items())
        await _send(send, answer.http_status, answer.body, retry)


async def _send(send: Send, status_code: int, body: bytes, more_headers: Sequence[tuple[str, str]] = ()) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        # What is told is old a moment later, and a status is nobody else's.
        (b"cache-control", b"no-store"),
        *((name.lower().encode(), value.encode()) for name, value in more_headers),
    ]
    await send({"type": "http.response.start", "status": status_code, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _polled_task(scope: Scope) -> str | None:
    """Extract the task's id, where the GET request is plainly a poll; else None."""
    if not scope["path"].startswith(PREFIX):
        return None
    task_id: str = scope["path"][len(PREFIX) :]
    return task_id if task_id and "/" not in task_id else None
