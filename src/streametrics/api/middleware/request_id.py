"""Gives every request an id, in its answer and on each line that is logged about it."""

import itertools
import re
import secrets

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streametrics.observability.logging import about_request

HEADER = "X-Request-Id"
#: An id of the client's is kept where it is one: another form could hide something in a log.
_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_NAME = HEADER.lower().encode()
#: Of a new id: which process, at random, and its how manieth request. Sixteen random digits each cost a poll 3 %.
_PROCESS, _count = secrets.token_hex(4).encode(), itertools.count(1)


class RequestIdMiddleware:
    """Sees a request first, so that a refusal has an id too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = [value for name, value in scope["headers"] if name == _NAME]
        request_id = given[0] if len(given) == 1 and _ID.fullmatch(given[0]) else b"%s%08x" % (_PROCESS, next(_count))

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), (_NAME, request_id)]
                message = {**message, "headers": headers}
            await send(message)

        with about_request(request_id.decode()):
            await self._app(scope, receive, send_with_id)
