"""One connection of the HTTP server without a socket: a client on a clock that a test moves."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from uvicorn import Config
from uvicorn.server import ServerState

from streametrics.api.server.http_protocol import BoundedHttp, bounded_http
from streametrics.api.server.slow_clients import SlowLimits

LIMITS = SlowLimits()

HEAD = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 1000000\r\n"


class Wire:
    """The transport under one connection."""

    def __init__(self) -> None:
        self.sent = b""
        self.unread_bytes = 0
        self.closed = self.aborted = self.paused = self.has_ended = False

    def write(self, data: bytes) -> None:
        self.sent += data

    def close(self) -> None:
        self.closed = True

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.has_ended = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return self.unread_bytes

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


class Client:
    """One connection to an application that a test gives, on a clock that the test moves."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        config = Config(app, loop="none", lifespan="off", log_config=None)
        config.load()
        self.wire = Wire()
        self.protocol: BoundedHttp = bounded_http(LIMITS)(config, ServerState(), {})
        self.protocol.connection_made(self.wire)  # type: ignore[arg-type]
        self._began = self.protocol.loop.time()
        self._at = 0.0

    async def send(self, data: bytes) -> None:
        if not self.wire.closed:
            self.protocol.data_received(data)
            await settle()

    async def pass_s(self, seconds: float, every_s: Callable[[], Awaitable[None]] | None = None) -> None:
        """Let so many seconds pass, with a look at each."""
        until = self._at + seconds
        while self._at < until:
            self._at += 1.0
            if every_s is not None:
                await every_s()
            self.protocol.look(self._began + self._at)
            await settle()

    @property
    def answer(self) -> tuple[int, str]:
        head, _, body = self.wire.sent.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body)["code"]


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def reads_all(scope: Any, receive: Any, send: Any) -> None:
    while (message := await receive()).get("more_body"):
        pass
    if message["type"] == "http.request":
        await respond(send)


async def reads_nothing(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.get_running_loop().create_future()


async def answers_at_once(scope: Any, receive: Any, send: Any) -> None:
    await respond(send)


async def respond(send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(test())  # type: ignore[arg-type]
