"""Whatever a model server sends: an answer, an error that has a code, and never anything else.

What is no answer is unusable: asked for once more, then it is the fallback's turn, with `summary_unusable`.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from streametrics.errors import SummarizerBusy, SummarizerError, SummaryUnusable
from streametrics.llm.base import ChatModel, Condition, Message
from streametrics.llm.ollama import OllamaModel
from streametrics.llm.openai_compatible import OpenAICompatibleModel
from streametrics.settings import Settings
from streametrics.summarization.base import SummaryRequest
from streametrics.summarization.extractive import ExtractiveSummarizer
from streametrics.summarization.fallback import FallbackSummarizer
from streametrics.summarization.llm_summarizer import LlmSummarizer
from tests.support.model_server import SUMMARY, ModelServer, Reply, State, states

MESSAGES: list[Message] = [{"role": "user", "content": "We meet a dragon. The dragon burns the bridge."}]
DEEP = 60_000
#: Of every type that a field can have instead of its own.
ODD: list[Any] = [[1], {"a": 1}, 5, -1, 1.5, True, "text", [], [[]], [None], {"content": {"content": 1}}]

Make = Callable[..., ChatModel]


def settings(url: str, **more: Any) -> Settings:
    values: dict[str, Any] = {"openai_model": "mistral", "mistral_timeout": 5, "mistral_max_retries": 1}
    return Settings(_env_file=None, ollama_url=url, openai_base_url=f"{url}/v1", **values | more)


def ollama(url: str, **more: Any) -> OllamaModel:
    return OllamaModel(settings(url, **more), wait=lambda _: None)


def openai(url: str, **more: Any) -> OpenAICompatibleModel:
    return OpenAICompatibleModel(settings(url, **more), wait=lambda _: None)


@pytest.fixture(params=[ollama, openai], ids=["ollama", "openai_compatible"])
def make(request: pytest.FixtureRequest) -> Make:
    made: Make = request.param
    return made


def streamed(*lines: bytes) -> State:
    """Lines of a stream, each as its server would frame it."""

    def state(reply: Reply) -> None:
        reply.begin()
        for line in lines:
            reply.raw(b"data: " + line + b"\n\n" if reply.path.startswith("/v1/") else line + b"\n")
        reply.end()

    return state


def at_once(body: bytes, status: int = 200) -> State:
    """A server that does not stream."""
    return lambda reply: reply.plain(status, "application/json", body)


def dumped(value: object) -> bytes:
    return json.dumps(value).encode()


def deep(before: str = "", after: str = "") -> bytes:
    return f"{before}{'[' * DEEP}{']' * DEEP}{after}".encode()


def ended(make: Make, state: State) -> str | SummarizerError:
    """The answer, or the error that ended the call."""
    with ModelServer(state) as server:
        try:
            return make(server.url).chat(MESSAGES, max_tokens=160, on_answer=lambda *_: None).text
        except SummarizerError as error:
            return error


NEVER_ANSWERS = [
    dumped({"message": [1]}),
    dumped({"choices": [1]}),
    dumped([1, 2]),
    dumped("text"),
    b"5",
    b"null",
    deep(),
    deep('{"message": ', "}"),
    deep('{"choices": ', "}"),
]


@pytest.mark.parametrize("line", NEVER_ANSWERS, ids=lambda line: line[:24].decode())
@pytest.mark.parametrize("frame", [streamed, at_once])
def test_what_is_no_answer_is_unusable(make: Make, line: bytes, frame: Callable[[bytes], State]) -> None:
    assert isinstance(ended(make, frame(line)), SummaryUnusable | SummarizerBusy)


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize(
    "path",
    [
        ("message",), ("message", "content"), ("message", "thinking"), ("done",), ("done_reason",),
        ("prompt_eval_count",), ("error",), ("choices",), ("choices", 0), ("choices", 0, "delta"),
        ("choices", 0, "delta", "content"), ("choices", 0, "delta", "reasoning_content"),
        ("choices", 0, "finish_reason"), ("usage",), ("usage", "prompt_tokens"),
    ],
    ids=str,
)  # fmt: skip
def test_no_type_of_any_field_breaks_a_call(make: Make, path: tuple[str | int, ...], odd: object) -> None:
    part: dict[str, Any] = {
        "message": {"role": "assistant", "content": SUMMARY, "thinking": ""},
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 321,
        "choices": [{"delta": {"content": SUMMARY, "reasoning_content": ""}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 321},
    }
    place: Any = part
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = odd
    for frame in (streamed, at_once):
        ending = ended(make, frame(dumped(part)))
        assert isinstance(ending, SummarizerError) or ending.strip()


@pytest.mark.parametrize("status", [400, 404, 429, 500, 200, 204, 302, 999])
@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\xfe", deep(), dumped({"error": [1]}), dumped({"error": {"message": {"a": 1}, "code": [2]}}),
     dumped([{"error": {"message": "no"}}]), dumped({"error": "\ud800"}), b'{"error": "\\ud800"}', b"\x00" * 99],
    ids=lambda body: repr(body[:16]),
)  # fmt: skip
def test_no_refusal_breaks_a_call(make: Make, status: int, body: bytes) -> None:
    ending = ended(make, at_once(body, status))
    assert isinstance(ending, SummarizerError)
    str(ending).encode()


def test_parts_of_text_in_a_list_are_an_answer() -> None:
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "Who?"}]}, {"type": "text", "text": SUMMARY}]
    choice = {"message": {"content": parts}, "finish_reason": "stop"}
    assert ended(openai, at_once(dumped({"choices": [choice]}))) == SUMMARY


def raw_http(head: bytes, body: bytes) -> State:
    def state(reply: Reply) -> None:
        reply.close_connection = True
        reply.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n" + head + b"\r\n\r\n" + body)

    return state


CHUNKED = b"Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (CHUNKED, b"-5\r\n{}\r\n0\r\n\r\n"),
        (CHUNKED, b"-1\r\n{}\r\n"),
        (CHUNKED, b"zz\r\n{}\r\n"),
        (CHUNKED, b"\r\n\r\n"),
        (CHUNKED, b"ffffffffffffffffffffffff\r\n{}"),
        (b"Content-Length: -7", b"{}"),
        (b"Content-Length: many", b"{}"),
        (b"Content-Length: 99", b"{}"),
        (b"Content-Encoding: gzip", b"no gzip"),
        (b"Content-Encoding: br", b"no brotli"),
        (b"Retry-After: nan\r\nContent-Length: 2", b"{}"),
        (b"\xff\xfe: \xff", b"{}"),
        (b"no header at all", b"{}"),
        (b"X: " + b"y" * 70_000, b"{}"),
    ],
    ids=lambda part: repr(part[:30]),
)
def test_broken_http_is_an_error_with_a_code(make: Make, head: bytes, body: bytes) -> None:
    assert isinstance(ended(make, raw_http(head, body)), SummarizerError)


@pytest.mark.parametrize("first_line", [b"HTTP/1.1 abc OK\r\n\r\n", b"\x00\xff\r\n\r\n", b"SSH-2.0-OpenSSH\r\n", b""])
def test_what_is_no_http_is_an_error_with_a_code(make: Make, first_line: bytes) -> None:
    def state(reply: Reply) -> None:
        reply.close_connection = True
        reply.wfile.write(first_line)

    assert isinstance(ended(make, state), SummarizerError)


# The lists of models


@pytest.mark.parametrize(
    "body",
    [
        *(dumped({"models": odd, "data": odd}) for odd in ODD),
        *(dumped({"models": [{"name": odd}], "data": [{"id": odd}]}) for odd in ODD),
        *(
            dumped({"models": [{"name": "mistral:latest", "context_length": odd}], "data": [{"id": "mistral"}]})
            for odd in ODD
        ),
        deep(), deep('{"models": ', "}"), b"", b"\xff",
        b'{"models": [{"name": "\\ud800"}], "data": [{"id": "\\ud800"}]}',
    ],
    ids=lambda body: repr(body[:48]),
)  # fmt: skip
def test_no_list_of_models_breaks_health_or_a_call(make: Make, body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def do_get(reply: Reply) -> None:
        reply.plain(200, "application/json", body)

    monkeypatch.setattr(Reply, "do_GET", do_get)
    with ModelServer() as server:
        health = make(server.url, openai_model="other").health()
        assert isinstance(health.condition, Condition)
        health.detail.encode()
        assert make(server.url).chat(MESSAGES, max_tokens=160).text == SUMMARY


# What a reader sees


def test_escapes_and_surrogates_reach_neither_answer_nor_reason_nor_health(make: Make) -> None:
    def named(reply: Reply) -> None:
        reply.json(200, {"data": [{"id": "\x1b[31mred\ud800"}], "models": []})

    answer = ended(make, lambda reply: (reply.begin(), reply.token(f"\x1b[2J{SUMMARY}\ud800\x07"), reply.done())[2])
    assert answer == SUMMARY
    for status in (400, 500):
        said = "\x1b[31mno\x1b]0;x\x07 \u202espace\ud800"
        reason = str(ended(make, lambda reply, status=status, said=said: reply.error(status, said)))
        assert reason.isprintable()
        assert "no space" in reason
    with ModelServer() as server:
        server.on_models = named
        assert make(server.url, openai_model="other", mistral_model="other").health().detail.isprintable()


def test_half_a_character_in_each_of_two_tokens_is_one() -> None:
    def state(reply: Reply) -> None:
        reply.begin()
        for half in ("Ada wins the \ud83d", "\udc09 at last."):
            reply.token(half)
        reply.done()

    told: list[str] = []
    with ModelServer(state) as server:
        answer = ollama(server.url).chat(MESSAGES, max_tokens=160, on_answer=lambda text, _: told.append(text))
    assert answer.text == "Ada wins the 🐉 at last."
    for text in told:
        text.encode()


@pytest.mark.parametrize(
    "state",
    [
        streamed(dumped({"message": [1]})),
        streamed(deep()),
        raw_http(CHUNKED, b"-5\r\n{}\r\n0\r\n\r\n"),
        lambda reply: (reply.begin(), reply.token("I'm sorry, but I can't help with that."), reply.done())[2],
    ],
    ids=["wrong type", "deep", "negative chunk", "refusal"],
)
def test_the_reader_gets_the_fallbacks_summary_and_is_told_so(state: State) -> None:
    request = SummaryRequest("We meet a dragon. The dragon burns the bridge. We win and sell the sword.", "en")
    with ModelServer(state) as server:
        model = LlmSummarizer(ollama(server.url), settings(server.url))
        summary = FallbackSummarizer(model, ExtractiveSummarizer()).summarize(request)
        assert len(server.chats()) == 2
    assert summary.source == "extractive"
    assert [warning.code for warning in summary.warnings] == ["summary_unusable"]


def test_another_try_helps_where_the_first_answer_was_malformed(make: Make) -> None:
    with ModelServer(streamed(dumped({"message": [1], "choices": [1]})), states.ok) as server:
        assert make(server.url).chat(MESSAGES, max_tokens=160).text == SUMMARY
