"""Answers polls ahead of the framework's routing."""

from starlette.types import ASGIApp, Receive, Scope, Send

from streametrics.api.dependencies import State
from streametrics.api.error_responses import error_response
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
        task_id = _polled_task(scope)
        if task_id is None:
            await self._app(scope, receive, send)
            return
        state: State = scope["app"].state.streametrics
        try:
            answer = await answer_poll(state, scope["state"]["principal"], task_id, scope["query_string"])
        except StreametricsError as error:
            await error_response(error)(scope, receive, send)
            return
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(answer.body)).encode()),
            # A status is old a moment later, and it is nobody else's.
            (b"cache-control", b"no-store"),
        ]
        if answer.http_status != 200:
            headers += [(name.lower().encode(), value.encode()) for name, value in DatabaseUnavailable.headers.items()]
        await send({"type": "http.response.start", "status": answer.http_status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})


def _polled_task(scope: Scope) -> str | None:
    """Extract the task's id, where the request is plainly a poll; else None."""
    if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith(PREFIX):
        return None
    task_id: str = scope["path"][len(PREFIX) :]
    return task_id if task_id and "/" not in task_id else None
