"""A model server that plays a script on a real socket, in every state that a real one gets into.

    with ModelServer(states.ok) as server:        # each chat call plays the next state, the last one ever again
        OllamaModel(Settings(ollama_url=server.url))
        OpenAICompatibleModel(Settings(openai_base_url=server.url + "/v1"))

It speaks by the route it is asked on: Ollama's own (lines of JSON, chunked, under `application/x-ndjson`, as Ollama
0.24 sends them), or `/v1/chat/completions` (server-sent events).
"""

import contextlib
import json
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

CHAT_ROUTES = ("/api/chat", "/v1/chat/completions")

#: A test that forgets to let a load finish fails after so long.
_HELD_FOR_S = 30

#: The answer of `states.ok`.
SUMMARY = "Ada beats the dragon and thanks the chat. Then she sells the sword."


@dataclass(frozen=True)
class Received:
    """One request: its path, its JSON (None for a GET) and what it sent as `Authorization`."""

    path: str
    body: dict[str, Any] | None
    authorization: str = ""


class Reply(BaseHTTPRequestHandler):
    """One request being answered; a state writes to it."""

    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_GET(self) -> None:
        self._take(None)
        match self.path:
            case "/api/tags":
                self.json(200, {"models": [{"name": name} for name in self.server.play.models]})
            case "/api/ps":
                self.server.play.on_ps(self)
            case "/v1/models":
                self.server.play.on_models(self)
            case _:
                self.json(404, {"error": "no such route"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._take(body)
        with contextlib.suppress(ConnectionError):  # the caller hung up, as some states want it to
            if self.path in CHAT_ROUTES:
                self.server.play.next_state()(self)
            elif self.path == "/api/generate":
                self.server.play.on_load(self)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests read `received`."""

    def json(self, status: int, body: dict[str, Any]) -> None:
        self.plain(status, "application/json", json.dumps(body).encode())

    def error(self, status: int, reason: str, headers: dict[str, str] | None = None, **fields: str) -> None:
        """A refusal as such a server words it."""
        body = {"error": {"message": reason, **fields} if self._is_v1 else reason}
        self.plain(status, "application/json", json.dumps(body).encode(), headers)

    def plain(self, status: int, content_type: str, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def begin(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if self._is_v1 else "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def line(self, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.raw(b"data: " + data + b"\n\n" if self._is_v1 else data + b"\n")

    def raw(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def token(self, text: str, **fields: str) -> None:
        if self._is_v1:
            thought = {"reasoning_content": fields["thinking"]} if "thinking" in fields else {}
            self.line({"choices": [{"index": 0, "delta": {"content": text, **thought}, "finish_reason": None}]})
        else:
            self.line({"message": {"role": "assistant", "content": text, **fields}, "done": False})

    def done(self, reason: str = "stop", prompt_tokens: int | None = 100_000) -> None:
        """The last lines; prompt_tokens None is a server that does not count."""
        if self._is_v1:
            self.line({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
            if prompt_tokens is not None:
                self.line({"choices": [], "usage": {"prompt_tokens": prompt_tokens, "completion_tokens": 1}})
            self.raw(b"data: [DONE]\n\n")
        else:
            counted = {} if prompt_tokens is None else {"prompt_eval_count": prompt_tokens}
            last = {"role": "assistant", "content": ""}
            self.line({"message": last, "done": True, "done_reason": reason, **counted})
        self.end()

    def end(self) -> None:
        self.wfile.write(b"0\r\n\r\n")

    def cut(self) -> None:
        """Break the connection off, without the last chunk."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def hold(self, seconds: float | None = None) -> bool:
        """Say nothing until the caller hangs up (True), the time is over or the server closes (False)."""
        ends_at = None if seconds is None else time.monotonic() + seconds
        while not self.server.play.closing.is_set() and (ends_at is None or time.monotonic() < ends_at):
            readable, _, _ = select.select([self.connection], [], [], 0.02)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                self.server.play.hung_up.set()
                self.close_connection = True
                return True
        self.close_connection = True
        return False

    @property
    def _is_v1(self) -> bool:
        return self.path.startswith("/v1/")

    def _take(self, body: dict[str, Any] | None) -> None:
        self.server.play.received.append(Received(self.path, body, self.headers.get("Authorization", "")))


State = Callable[[Reply], None]


class states:
    """What a chat call can meet."""

    @staticmethod
    def ok(reply: Reply) -> None:
        reply.begin()
        for word in SUMMARY.split(" "):
            reply.token(f" {word}")
        reply.done()

    @staticmethod
    def model_missing(reply: Reply) -> None:
        reply.error(404, "model 'mistral' not found")

    @staticmethod
    def too_long(reply: Reply) -> None:
        reply.error(400, "the input length exceeds the context length")

    @staticmethod
    def not_supported(reply: Reply) -> None:
        reply.error(400, '"mistral" does not support chat')

    @staticmethod
    def runner_died(reply: Reply) -> None:
        reply.error(500, "llama runner process has terminated: signal: killed")

    @staticmethod
    def queue_full(reply: Reply) -> None:
        reply.error(503, "server busy, please try again. maximum pending requests exceeded")

    @staticmethod
    def silent_before_headers(reply: Reply) -> None:
        reply.hold()

    @staticmethod
    def silent_in_body(reply: Reply) -> None:
        reply.begin()
        reply.token("Ada")
        reply.hold()

    @staticmethod
    def trickling(reply: Reply) -> None:
        """A token now and then, for ever: no time limit between two bytes ever sees it."""
        reply.begin()
        while not reply.hold(0.1) and not reply.server.play.closing.is_set():
            reply.token(" word")

    @staticmethod
    def cut_stream(reply: Reply) -> None:
        reply.begin()
        reply.token("Ada beats the")
        reply.cut()

    @staticmethod
    def error_in_stream(reply: Reply) -> None:
        reply.begin()
        reply.token("Ada")
        reply.line({"error": "an error was encountered while running the model: unexpected EOF"})
        reply.end()

    @staticmethod
    def empty(reply: Reply) -> None:
        reply.begin()
        reply.done()

    @staticmethod
    def thinking_only(reply: Reply) -> None:
        reply.begin()
        for word in ("The", " user", " wants"):
            reply.token("", thinking=word)
        reply.done("length")

    @staticmethod
    def thinking_in_text(reply: Reply) -> None:
        reply.begin()
        reply.token("<think>The user wants a summary")
        reply.done("length")

    @staticmethod
    def white_space(reply: Reply) -> None:
        reply.begin()
        for _ in range(10_000):
            reply.token(" \n")
        reply.done()

    @staticmethod
    def html(reply: Reply) -> None:
        """A router's log-in page, endless."""
        reply.send_response(200)
        reply.send_header("Content-Type", "text/html; charset=utf-8")
        reply.end_headers()
        reply.close_connection = True
        while not reply.hold(0.02) and not reply.server.play.closing.is_set():
            reply.wfile.write(b"<p>Welcome!</p>" * 100)

    @staticmethod
    def html_not_found(reply: Reply) -> None:
        reply.plain(404, "text/html", b"<h1>404 Not Found</h1>")

    @staticmethod
    def ten_megabytes(reply: Reply) -> None:
        reply.begin()
        reply.token("word " * 2_000_000)
        reply.done()

    @staticmethod
    def prompt_cut(reply: Reply) -> None:
        """An older server that knows no `truncate` has read a fraction of what it was sent."""
        reply.begin()
        reply.token("Something about a dragon.")
        reply.done(prompt_tokens=10)

    @staticmethod
    def length_cut(reply: Reply) -> None:
        reply.begin()
        reply.token("Ada beats the dragon. Then she sells the")
        reply.done("length")

    # What only servers of `/v1` do

    @staticmethod
    def no_counts(reply: Reply) -> None:
        reply.begin()
        reply.token(SUMMARY)
        reply.done(prompt_tokens=None)

    @staticmethod
    def comments_between(reply: Reply) -> None:
        """Marks that only keep the connection, and names of events."""
        reply.begin()
        for word in SUMMARY.split(" "):
            reply.raw(b": ping\n\nevent: message\n")
            reply.token(f" {word}")
        reply.done()

    @staticmethod
    def not_streamed(reply: Reply) -> None:
        choice = {"index": 0, "message": {"role": "assistant", "content": SUMMARY}, "finish_reason": "stop"}
        body = {"choices": [choice], "usage": {"prompt_tokens": 321}}
        reply.plain(200, "application/json", json.dumps(body, indent=2).encode())

    @staticmethod
    def no_last_mark(reply: Reply) -> None:
        """The answer is whole, and the connection stays open for nothing."""
        reply.begin()
        reply.token(SUMMARY)
        reply.line({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        reply.hold()

    @staticmethod
    def filtered(reply: Reply) -> None:
        reply.begin()
        reply.token("Ada")
        reply.done("content_filter")

    @staticmethod
    def too_large(reply: Reply) -> None:
        reply.error(413, "Payload Too Large")

    @staticmethod
    def no_key(reply: Reply) -> None:
        reply.error(401, f"Incorrect API key provided: {reply.headers.get('Authorization')}")

    @staticmethod
    def forbidden(reply: Reply) -> None:
        reply.error(403, "This key may not use this model.")

    @staticmethod
    def no_quota(reply: Reply) -> None:
        reply.error(429, "You exceeded your current quota.", code="insufficient_quota")

    @staticmethod
    def no_route(reply: Reply) -> None:
        reply.json(404, {"detail": "Not Found"})


def rate_limited(seconds: str) -> State:
    """429 with `Retry-After`."""

    def state(reply: Reply) -> None:
        reply.error(429, "Rate limit reached.", {"Retry-After": seconds})

    return state


def knows_not(field: str, reason: str) -> State:
    """Refuses a request that has this field, answers any other."""

    def state(reply: Reply) -> None:
        body = reply.server.play.received[-1].body or {}
        if field in body:
            reply.error(400, reason)
        else:
            states.ok(reply)

    return state


class ModelServer:
    """The server, from entering the block until leaving it."""

    def __init__(self, *script: State, models: tuple[str, ...] = ("mistral:latest",), loaded: bool = True) -> None:
        self.models = models
        #: Whether `/api/ps` lists the models: an empty request to `/api/generate` loads them.
        self.loaded = loaded
        self.received: list[Received] = []
        #: Set when a caller closed its connection while its answer was held.
        self.hung_up = threading.Event()
        self.closing = threading.Event()
        self.on_load: State = self.load
        self.on_ps: State = self._loaded
        self.on_models: State = self._list
        self._script = iter(script or (states.ok,))
        self._last: State = states.ok
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), Reply)
        self._server.play = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "ModelServer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def chats(self) -> list[dict[str, Any]]:
        """The bodies of the chat calls so far."""
        return [request.body for request in self.received if request.path in CHAT_ROUTES and request.body]

    def script(self, *states: State) -> None:
        """What the next calls play, instead of what is left of the script before."""
        with self._lock:
            self._script = iter(states)

    def next_state(self) -> State:
        with self._lock:
            self._last = next(self._script, self._last)
            return self._last

    def _loaded(self, reply: Reply) -> None:
        reply.json(200, {"models": [{"name": name} for name in self.models if self.loaded]})

    def _list(self, reply: Reply) -> None:
        reply.json(200, {"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]})

    def load(self, reply: Reply) -> None:
        self.loaded = True
        reply.json(200, {"done": True, "done_reason": "load"})


class HeldLoad:
    """For `on_load`: a load that has begun when `began` is set, and goes on when the test sets `finish`."""

    def __init__(self) -> None:
        self.began, self.finish = threading.Event(), threading.Event()

    def __call__(self, reply: Reply) -> None:
        self.began.set()
        assert self.finish.wait(_HELD_FOR_S)
        reply.server.play.load(reply)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    play: ModelServer

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that hangs up is what the tests want; nothing to print."""


@contextlib.contextmanager
def closed_port() -> Iterator[str]:
    """An address where nobody listens, kept free of others for the block."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"
