"""Adds to uvicorn's HTTP connection limits of time for receiving a request and for sending the response.

uvicorn waits for ever for half a head, a body that trickles in, a socket on which nothing comes, and a client that does
not read its answer; each holds a socket and memory.
"""

import asyncio
import logging

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from streametrics.api.error_responses import error_response
from streametrics.api.server.slow_clients import SlowClients, SlowLimits, TransferRate
from streametrics.errors import HeadTooLarge, RequestTimeout, StreametricsError

#: A body is handed to the parser in pieces of this size, in bytes, as the next request's head may begin in one.
_PIECE_BYTES = 16_384

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
        #: The target of the request; empty before the first one.
        self.url = b""
        #: Since when the head of a request is waited for; None while none is.
        self._head_since: float | None = self.loop.time()
        self._head_bytes = 0
        self._in_body = False
        self._received_bytes = 0
        #: What has come of a body's framing and trailers since its last bytes.
        self._framing_bytes = 0
        #: Whether the client wants the connection to stay open; see `on_headers_complete`.
        self._is_kept_alive = True
        #: Since when the rest of a body is read whose answer is given.
        self._rest_since: float | None = None
        #: When a head was refused; what comes after it is dropped.
        self._refused_at: float | None = None
        limits = self.watch.limits
        self._body_rate = TransferRate(limits.least_bytes_s, limits.over_s)
        self._rest_rate = TransferRate(limits.rest_bytes_s, limits.rest_over_s)
        self._answer_rate = TransferRate(limits.least_bytes_s, limits.over_s)
        self.watch.add(self, self.loop)

    def connection_lost(self, exc: Exception | None) -> None:
        self.watch.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._received_bytes += len(data)
        # In pieces: where one holds the end of a head, nobody can tell afterwards how long that was.
        start = 0
        while start < len(data) and self._refused_at is None and not self.transport.is_closing():
            limit_bytes = self.watch.limits.max_head_bytes
            size = _PIECE_BYTES if self._in_body else limit_bytes - self._head_bytes
            self._take(data[start : start + size])
            start += size

    def _take(self, piece: bytes) -> None:
        if self._in_body:
            self._framing_bytes += len(piece)
        else:
            self._head_bytes += len(piece)
            if self._head_since is None and self._is_free:
                # uvicorn ends its own limit for idle connections here, whatever it is that came.
                self._head_since = self.loop.time()
        super().data_received(piece)
        limit_bytes = self.watch.limits.max_head_bytes
        if max(self._head_bytes, self._framing_bytes) >= limit_bytes and not self.transport.is_closing():
            self._refuse_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_body:  # trailers come behind what was checked
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head_since, self._head_bytes = None, 0
        self._in_body, self._rest_since = True, None
        self._body_rate.restart()
        self._rest_rate.restart()
        super().on_headers_complete()
        # uvicorn closes behind the answer where the client asks for it. Bytes of a body that come after that reset the
        # connection, and with it the answer; so it stays open until the body is complete, or takes too long.
        self._is_kept_alive = self.cycle.keep_alive
        self.cycle.keep_alive = True

    def on_body(self, body: bytes) -> None:
        self._framing_bytes = 0
        super().on_body(body)

    def on_chunk_complete(self) -> None:
        self._framing_bytes = 0

    def on_message_complete(self) -> None:
        self._in_body, self._framing_bytes = False, 0
        super().on_message_complete()
        if not self._is_kept_alive:
            self.cycle.keep_alive = False
            if self.cycle.response_complete:
                self.transport.close()

    def abort(self) -> None:
        """Close the connection at once."""
        self.transport.abort()

    def look(self, now: float) -> None:
        """Cut the connection when its client takes too long for what it is at."""
        if self._is_read_too_slowly(now):
            logger.info("event=slow_client_cut while=reading")
            self.transport.abort()
        elif self.transport.is_closing():
            return
        elif self._refused_at is not None:
            if now - self._refused_at >= self.watch.limits.farewell_s:
                self.transport.close()
        elif self._in_body:
            self._look_at_body(now)
        elif self._head_since is not None and self._is_free and now - self._head_since >= self.watch.limits.head_s:
            self._cut(RequestTimeout())

    @property
    def _is_free(self) -> bool:
        """Tell whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _look_at_body(self, now: float) -> None:
        if self.cycle.response_complete:
            self._look_at_rest(now)
        elif self.flow.read_paused or self.cycle.waiting_for_100_continue:
            # It is the client who waits for us.
            self._body_rate.restart()
        elif self._body_rate.is_too_slow(now, self._received_bytes):
            self._cut(RequestTimeout())

    def _look_at_rest(self, now: float) -> None:
        """Cut what sends on behind its answer for too long, or brings little of it."""
        if self._rest_since is None:
            self._rest_since = now
        is_too_slow = self._rest_rate.is_too_slow(now, self._received_bytes)
        if is_too_slow or now - self._rest_since >= self.watch.limits.rest_s:
            self._cut(RequestTimeout())

    def _refuse_head(self) -> None:
        """Answer, and read on for a moment: an answer is lost where the client's bytes come to a closed connection."""
        if self._in_body or not self._is_free:
            self._cut(HeadTooLarge())
            return
        logger.info("event=head_refused received_bytes=%d", self._received_bytes)
        self._refused_at = self.loop.time()
        self.transport.write(_answer(HeadTooLarge(), self.url))
        if self.transport.can_write_eof():
            self.transport.write_eof()

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
            self.transport.write(_answer(error, self.url))
        self.transport.close()


def _answer(error: StreametricsError, target: bytes) -> bytes:
    """Render an error in the form of the address that was asked for, as far as that is known."""
    response = error_response(error, target.partition(b"?")[0].decode("latin-1"))
    body = bytes(response.body)
    reason = {408: "Request Timeout", 431: "Request Header Fields Too Large"}[error.status]
    head = (
        f"HTTP/1.1 {error.status} {reason}\r\n"
        f"Content-Type: {response.media_type}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def bounded_http(limits: SlowLimits | None = None) -> type[BoundedHttp]:
    """Make the class for uvicorn's `http`; all its connections are watched together."""
    return type("BoundedHttp", (BoundedHttp,), {"watch": SlowClients(limits or SlowLimits())})
