"""Adds to uvicorn's HTTP connection limits of time for receiving a request and for sending the response.

uvicorn waits for ever for half a head, a body that trickles in, a socket on which nothing comes, and a client that does
not read its answer; each holds a socket and memory.
"""

import asyncio
import json
import logging

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from streametrics.api.server.slow_clients import SlowClients, SlowLimits, TransferRate
from streametrics.domain.status import error_body
from streametrics.errors import HeadTooLarge, RequestTimeout, StreametricsError

logger = logging.getLogger(__name__)


class StrictProtocol(HttpToolsProtocol):
    """Counts the host of a target that is a whole address, which the parser drops, as another Host: two are refused.

    `*` (of OPTIONS) is no path either and is left to `TrustedOriginMiddleware`.
    """

    def on_headers_complete(self) -> None:
        if not self.url.startswith((b"/", b"*")):
            self.headers.append((b"host", self.url))
        super().on_headers_complete()


class BoundedHttp(StrictProtocol):
    """One connection, which counts what has come and is checked once a second by `watch`."""

    watch: SlowClients

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        #: Since when the head of a request is waited for; None while none is.
        self._head_since: float | None = self.loop.time()
        self._head_bytes = 0
        self._in_body = False
        self._received_bytes = 0
        self._body_rate = TransferRate(self.watch.limits)
        self._answer_rate = TransferRate(self.watch.limits)
        self.watch.add(self, self.loop)

    def connection_lost(self, exc: Exception | None) -> None:
        self.watch.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._received_bytes += len(data)
        if not self._in_body:
            self._head_bytes += len(data)
            if self._head_since is None and self._is_free:
                # uvicorn ends its own limit for idle connections here, whatever it is that came.
                self._head_since = self.loop.time()
        super().data_received(data)
        if self._head_bytes > self.watch.limits.max_head_bytes and not self.transport.is_closing():
            self._cut(HeadTooLarge())

    def on_headers_complete(self) -> None:
        self._head_since, self._head_bytes = None, 0
        self._in_body = True
        self._body_rate.restart()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_body = False
        super().on_message_complete()

    def look(self, now: float) -> None:
        """Cut the connection when its client takes too long for what it is at."""
        if self._is_read_too_slowly(now):
            logger.info("event=slow_client_cut while=reading")
            self.transport.abort()
        elif self.transport.is_closing():
            return
        elif self._in_body:
            self._look_at_body(now)
        elif self._head_since is not None and self._is_free and now - self._head_since >= self.watch.limits.head_s:
            self._cut(RequestTimeout())

    @property
    def _is_free(self) -> bool:
        """Tell whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _look_at_body(self, now: float) -> None:
        if self.flow.read_paused or self.cycle.waiting_for_100_continue:
            # It is the client who waits for us.
            self._body_rate.restart()
        elif self._body_rate.is_too_slow(now, self._received_bytes):
            self._cut(RequestTimeout())

    def _is_read_too_slowly(self, now: float) -> bool:
        """Tell whether a response waits to be read and hardly gets less; also one after which the connection closes."""
        waiting_bytes = self.transport.get_write_buffer_size()
        if waiting_bytes == 0 or not (self.flow.write_paused or self.transport.is_closing()):
            self._answer_rate.restart()
            return False
        return self._answer_rate.is_too_slow(now, -waiting_bytes)

    def _cut(self, error: StreametricsError) -> None:
        """Answer where that is still possible, and close."""
        logger.info("event=slow_client_cut code=%s received_bytes=%d", error.code, self._received_bytes)
        if self._is_free:
            # A socket on which nothing came has asked nothing, and what it is told it would take for a later answer.
            can_answer = not self._in_body and self._head_bytes > 0
        else:
            can_answer = not self.cycle.response_started
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if can_answer:
            self.transport.write(_answer(error))
        self.transport.close()


def _answer(error: StreametricsError) -> bytes:
    body = json.dumps(error_body(str(error), error.code)).encode()
    reason = {408: "Request Timeout", 431: "Request Header Fields Too Large"}[error.status]
    head = (
        f"HTTP/1.1 {error.status} {reason}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def bounded_http(limits: SlowLimits | None = None) -> type[BoundedHttp]:
    """Make the class for uvicorn's `http`; all its connections are watched together."""
    return type("BoundedHttp", (BoundedHttp,), {"watch": SlowClients(limits or SlowLimits())})
