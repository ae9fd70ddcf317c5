"""HTTP transport for model servers, with time limits that hold for silent, slow and endless answers.

`requests` limits only the time between two bytes, and cannot be interrupted while it waits. So another thread reads the
response, and the caller waits for its lines with a time limit. Leaving early closes the connection at once, which makes
a model server stop generating.
"""

import contextlib
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
from streametrics.llm import parsing
from streametrics.llm.timeouts import Timeouts

CONNECT_TIMEOUT_S = 3.05
#: The limit of a response without a generated text; lists of models are some kilobytes.
MAX_RESPONSE_BYTES = 1_000_000
#: Streaming puts 150 to 400 bytes around each token.
BYTES_PER_TOKEN = 1_000
#: How often `on_wait` is called while nothing comes, in seconds.
POLL_INTERVAL_S = 0.25

_READ_BYTES = 4096


def max_response_bytes(max_tokens: int) -> int:
    """Return the limit of a response that holds at most `max_tokens` tokens."""
    return MAX_RESPONSE_BYTES // 4 + BYTES_PER_TOKEN * max_tokens


@dataclass(frozen=True, slots=True)
class ErrorHints:
    """Messages for a server that cannot be reached: what to start, and which setting is no address."""

    unavailable: str
    no_address: str


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request. `body` None makes it a GET; trust_env lets `requests` use proxies from the environment."""

    url: str
    hints: ErrorHints
    body: dict[str, Any] | None = None
    trust_env: bool = True
    #: Sent as a bearer token; never shown.
    key: str = field(default="", repr=False)
    max_response_bytes: int = MAX_RESPONSE_BYTES


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response that has begun: its status and type, and its lines as they come, without empty ones.

    retry_after_s: when the server wants to be asked again, None where it does not say it in seconds.
    """

    status: int
    content_type: str
    lines: Iterator[bytes]
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class JsonResponse:
    """A complete response; `data` is its JSON, or None where it is not JSON."""

    status: int
    data: Any


@contextlib.contextmanager
def open_response(request: HttpRequest, timeouts: Timeouts, *, on_wait: Callable[[], None]) -> Iterator[HttpResponse]:
    """Send a request and wait for its response; its lines are read inside the block, and leaving closes the connection.

    timeouts: the caller reports each token to them. on_wait: called while nothing comes; it may raise to stop.
    Raises, in the lines too, SummarizerUnavailable (no connection), SummarizerTimeout, SummarizerBusy
    (the connection broke) and SummaryUnusable (more than `max_response_bytes`, or no HTTP).
    """
    reader = _ResponseReader(request, timeouts.whole_s)
    reader.start()
    try:
        items = _items(reader, request.hints, timeouts, on_wait)
        head = next(items)
        assert isinstance(head, _ResponseHead)
        lines = (line for line in items if isinstance(line, bytes))
        yield HttpResponse(head.status, head.content_type, lines, head.retry_after_s)
    finally:
        reader.hang_up()


def fetch_json(
    request: HttpRequest, *, limit_s: float, clock: Callable[[], float], on_wait: Callable[[], None]
) -> JsonResponse:
    """Send a request and return its response as JSON; raises what `open_response` raises."""
    with open_response(request, Timeouts(clock, limit_s), on_wait=on_wait) as response:
        text = b"\n".join(response.lines)
    return JsonResponse(response.status, parsing.json_value(text))


def _items(
    reader: "_ResponseReader", hints: ErrorHints, timeouts: Timeouts, on_wait: Callable[[], None]
) -> "Iterator[_ResponseHead | bytes]":
    while True:
        remaining_s = timeouts.remaining_s()
        if remaining_s <= 0:
            raise timeouts.error()
        try:
            item = reader.items.get(timeout=min(POLL_INTERVAL_S, remaining_s))
        except queue.Empty:
            on_wait()
            continue
        if item is None:
            return
        if isinstance(item, Exception):
            raise _translated(item, hints) from item
        yield item


@dataclass(frozen=True, slots=True)
class _ResponseHead:
    status: int
    content_type: str
    retry_after_s: float | None


class _ResponseTooLarge(Exception):
    """The server sends more than any summary needs."""


class _ResponseReader(threading.Thread):
    """Reads a response in a thread: puts its head, its lines, then None or an exception into `items`."""

    def __init__(self, request: HttpRequest, limit_s: float) -> None:
        super().__init__(name="model-server-call", daemon=True)
        self.items: queue.SimpleQueue[_ResponseHead | bytes | Exception | None] = queue.SimpleQueue()
        self._http_request = request
        self._limit_s = limit_s
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._hung_up = False

    def run(self) -> None:
        try:
            with requests.Session() as session:
                session.trust_env = self._http_request.trust_env
                wire = _SocketTrackingAdapter(self._opened)
                session.mount("http://", wire)
                session.mount("https://", wire)
                with self._request(session) as response:
                    self.items.put(_head(response))
                    self._read(response)
            self.items.put(None)
        except Exception as error:  # noqa: BLE001 - the caller raises it; lost here, it would wait out its limit
            self.items.put(error)
        except BaseException as error:  # noqa: BLE001 - nor may anything else end this thread without a word
            self.items.put(RuntimeError(f"the reader of a model server's answer was ended by {type(error).__name__}"))

    def hang_up(self) -> None:
        """Close the connection, which wakes the thread; connecting ends by itself after CONNECT_TIMEOUT_S."""
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
            "GET" if self._http_request.body is None else "POST",
            self._http_request.url,
            json=self._http_request.body,
            headers={"Accept-Encoding": "identity"},
            stream=True,
            allow_redirects=False,
            timeout=(CONNECT_TIMEOUT_S, self._limit_s + CONNECT_TIMEOUT_S),
            # Not a header: a `.netrc` would replace that one.
            auth=_BearerAuth(self._http_request.key) if self._http_request.key else None,
        )

    def _read(self, response: requests.Response) -> None:
        received = 0
        rest = b""
        for piece in response.iter_content(_READ_BYTES):
            received += len(piece)
            if received > self._http_request.max_response_bytes:
                raise _ResponseTooLarge
            *whole_lines, rest = (rest + piece).split(b"\n")
            self._put(whole_lines)
        self._put([rest])

    def _put(self, found: list[bytes]) -> None:
        for line in found:
            if line.strip():
                self.items.put(line)


class _BearerAuth(AuthBase):
    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


class _SocketTrackingAdapter(HTTPAdapter):
    """Reports each socket that it opens, so that another thread can close it, even before the headers came."""

    def __init__(self, opened: Callable[[socket.socket], None]) -> None:
        super().__init__()
        self._opened = opened

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> ConnectionPool:  # noqa: ANN401 - handed on
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        plain = pool.ConnectionCls

        def tracking(**kwargs: object) -> HTTPConnection:
            connection: HTTPConnection = plain(**kwargs)
            connect = connection.connect

            def connect_and_report() -> None:
                connect()
                if connection.sock is not None:
                    self._opened(connection.sock)

            connection.connect = connect_and_report  # type: ignore[method-assign] # of this one connection
            return connection

        pool.ConnectionCls = tracking
        return cast(ConnectionPool, pool)


def _shut_down(opened: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the other side was quicker
        opened.shutdown(socket.SHUT_RDWR)


def _head(response: requests.Response) -> _ResponseHead:
    headers = response.headers
    try:
        retry_after_s = max(0.0, float(headers["Retry-After"]))
    except (KeyError, ValueError):  # absent, or a date
        retry_after_s = None
    return _ResponseHead(response.status_code, headers.get("Content-Type", ""), retry_after_s)


def _translated(error: Exception, hints: ErrorHints) -> Exception:
    """Translate an error of `requests` into one of ours."""
    match error:
        case _ResponseTooLarge():
            return SummaryUnusable("The model server sent far more than a summary.")
        case requests.ReadTimeout():
            return SummarizerTimeout("The model server went silent.")
        case requests.exceptions.ChunkedEncodingError():
            return SummarizerBusy("The model server broke off its answer.")
        case requests.exceptions.InvalidURL() | requests.exceptions.InvalidSchema():
            return SummarizerUnavailable(hints.no_address)
        case requests.exceptions.ContentDecodingError():
            return parsing.MalformedAnswer()
        case requests.RequestException() | OSError():
            return SummarizerUnavailable(hints.unavailable)
        case _:
            # Whatever the libraries below trip over while they read it: a negative size of a chunk, say.
            return parsing.MalformedAnswer()
