"""One HTTP call whose time is our own: a silent, trickling or endless server is cut when the limit says so.

`requests` measures the time between two bytes only, and is deaf while it waits. So a thread of its own reads the
answer, and the caller waits for lines with a clock in its hand. Leaving early shuts the connection down at once, which
is what makes a model server stop writing for nobody.
"""

import contextlib
import json
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import ConnectionPool

from streametrics.errors import SummarizerBusy, SummarizerTimeout, SummarizerUnavailable, SummaryUnusable
from streametrics.llm.timeouts import Patience

CONNECT_TIMEOUT_S = 3.05
#: Lists of models are some kilobytes.
LONGEST_ANSWER_BYTES = 1_000_000
#: Streaming puts 150 to 400 bytes around each token.
BYTES_A_TOKEN = 1_000
#: While the server is silent the caller is woken this often, in seconds.
BEAT_S = 0.25

_READ_BYTES = 4096


def longest_answer_bytes(max_tokens: int) -> int:
    """More than this is no answer of so many tokens."""
    return LONGEST_ANSWER_BYTES // 4 + BYTES_A_TOKEN * max_tokens


@dataclass(frozen=True, slots=True)
class Hints:
    """The two sentences of a server that cannot be reached: what to start, and which setting is no address."""

    unavailable: str
    no_address: str


@dataclass(frozen=True, slots=True)
class Call:
    """What to send. `body` None makes it a GET; trust_env lets `requests` honour proxies from the environment."""

    url: str
    hints: Hints
    body: dict[str, Any] | None = None
    trust_env: bool = True
    #: Sent as a bearer's; never shown.
    key: str = field(default="", repr=False)
    longest_answer_bytes: int = LONGEST_ANSWER_BYTES


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that has begun: its status and type, and its lines as they come, without empty ones.

    retry_after_s: when the server wants to be asked again, None where it does not say it in seconds.
    """

    status: int
    content_type: str
    lines: Iterator[bytes]
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, `data` being its JSON or None where it is not JSON."""

    status: int
    data: Any


@contextlib.contextmanager
def opened(call: Call, patience: Patience, *, beat: Callable[[], None]) -> Iterator[Reply]:
    """Send the call and wait for its head; the lines are read inside the block, and leaving it hangs up.

    patience: the call's limits; who reads the lines tells it of each token. beat: called while nothing comes; it may
    raise to leave. Raises, in the lines too, SummarizerUnavailable (no connection), SummarizerTimeout, SummarizerBusy
    (the connection broke) and SummaryUnusable (more than the call's `longest_answer_bytes`).
    """
    reader = _Reader(call, patience.whole_s)
    reader.start()
    try:
        items = _items(reader, call.hints, patience, beat)
        head = next(items)
        assert isinstance(head, _Head)
        lines = (line for line in items if isinstance(line, bytes))
        yield Reply(head.status, head.content_type, lines, head.retry_after_s)
    finally:
        reader.hang_up()


def whole(call: Call, *, limit_s: float, clock: Callable[[], float], beat: Callable[[], None]) -> Answer:
    """The answer as one piece of JSON; raises what `opened` raises."""
    with opened(call, Patience(clock, limit_s), beat=beat) as reply:
        text = b"\n".join(reply.lines)
    try:
        return Answer(reply.status, json.loads(text))
    except ValueError:
        return Answer(reply.status, None)


def _items(reader: "_Reader", hints: Hints, patience: Patience, beat: Callable[[], None]) -> "Iterator[_Head | bytes]":
    while True:
        left_s = patience.left_s()
        if left_s <= 0:
            raise patience.over()
        try:
            item = reader.items.get(timeout=min(BEAT_S, left_s))
        except queue.Empty:
            beat()
            continue
        if item is None:
            return
        if isinstance(item, Exception):
            raise _translated(item, hints) from item
        yield item


@dataclass(frozen=True, slots=True)
class _Head:
    status: int
    content_type: str
    retry_after_s: float | None


class _TooLong(Exception):
    """The server sends more than any summary needs."""


class _Reader(threading.Thread):
    """Puts the head, the lines, then None or the exception into `items`."""

    def __init__(self, call: Call, limit_s: float) -> None:
        super().__init__(name="model-server-call", daemon=True)
        self.items: queue.SimpleQueue[_Head | bytes | Exception | None] = queue.SimpleQueue()
        self._call = call
        self._limit_s = limit_s
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._hung_up = False

    def run(self) -> None:
        try:
            with requests.Session() as session:
                session.trust_env = self._call.trust_env
                wire = _Wire(self._opened)
                session.mount("http://", wire)
                session.mount("https://", wire)
                with self._request(session) as response:
                    self.items.put(_head(response))
                    self._read(response)
            self.items.put(None)
        except Exception as error:  # noqa: BLE001 - the caller raises it; lost here, it would wait out its limit
            self.items.put(error)

    def hang_up(self) -> None:
        """Wake the thread out of whatever it waits for; connecting ends by itself after CONNECT_TIMEOUT_S."""
        with self._lock:
            self._hung_up = True
            if self._socket is not None:
                _shut_down(self._socket)
        self.join(timeout=1)

    def _opened(self, opened: socket.socket) -> None:
        with self._lock:
            self._socket = opened
            if self._hung_up:
                _shut_down(opened)

    def _request(self, session: requests.Session) -> requests.Response:
        return session.request(
            "GET" if self._call.body is None else "POST",
            self._call.url,
            json=self._call.body,
            headers={"Accept-Encoding": "identity"},
            stream=True,
            allow_redirects=False,
            timeout=(CONNECT_TIMEOUT_S, self._limit_s + CONNECT_TIMEOUT_S),
            # Not a header: a `.netrc` would replace that one.
            auth=_Bearer(self._call.key) if self._call.key else None,
        )

    def _read(self, response: requests.Response) -> None:
        received = 0
        rest = b""
        for piece in response.iter_content(_READ_BYTES):
            received += len(piece)
            if received > self._call.longest_answer_bytes:
                raise _TooLong
            *whole_lines, rest = (rest + piece).split(b"\n")
            self._put(whole_lines)
        self._put([rest])

    def _put(self, found: list[bytes]) -> None:
        for line in found:
            if line.strip():
                self.items.put(line)


class _Bearer(AuthBase):
    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


class _Wire(HTTPAdapter):
    """Tells of each socket that it opens: another thread can then shut it down, before the headers too."""

    def __init__(self, opened: Callable[[socket.socket], None]) -> None:
        super().__init__()
        self._opened = opened

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> ConnectionPool:  # noqa: ANN401 - handed on
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        plain = pool.ConnectionCls

        def telling(**kwargs: object) -> HTTPConnection:
            connection: HTTPConnection = plain(**kwargs)
            connect = connection.connect

            def connect_and_tell() -> None:
                connect()
                if connection.sock is not None:
                    self._opened(connection.sock)

            connection.connect = connect_and_tell  # type: ignore[method-assign] # of this one connection
            return connection

        pool.ConnectionCls = telling
        return cast(ConnectionPool, pool)


def _shut_down(opened: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the other side was quicker
        opened.shutdown(socket.SHUT_RDWR)


def _head(response: requests.Response) -> _Head:
    headers = response.headers
    try:
        retry_after_s = max(0.0, float(headers["Retry-After"]))
    except (KeyError, ValueError):  # absent, or a date
        retry_after_s = None
    return _Head(response.status_code, headers.get("Content-Type", ""), retry_after_s)


def _translated(error: Exception, hints: Hints) -> Exception:
    """The foreign error as one of ours."""
    match error:
        case _TooLong():
            return SummaryUnusable("The model server sent far more than a summary.")
        case requests.ReadTimeout():
            return SummarizerTimeout("The model server went silent.")
        case requests.exceptions.ChunkedEncodingError():
            return SummarizerBusy("The model server broke off its answer.")
        case requests.exceptions.InvalidURL() | requests.exceptions.InvalidSchema():
            return SummarizerUnavailable(hints.no_address)
        case requests.RequestException() | OSError():
            return SummarizerUnavailable(hints.unavailable)
        case _:
            return error
