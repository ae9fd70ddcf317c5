"""One suite for every model on a server, then what only one kind of server can do.

The servers are scripted, on a real socket. Time limits are fractions of a second where a server is silent, and the
waits between tries are counted, not slept.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from streametrics.errors import (
    ModelMissing,
    SummarizerBusy,
    SummarizerError,
    SummarizerRefused,
    SummarizerTimeout,
    SummarizerUnavailable,
    SummaryUnusable,
    TranscriptTooLong,
)
from streametrics.llm import factory as chat_model_factory
from streametrics.llm import timeouts
from streametrics.llm.base import ChatModel, ChatResponse, Condition, Message, ModelHealth
from streametrics.llm.fake import FakeChatModel, copying
from streametrics.llm.ollama import OllamaModel
from streametrics.llm.openai_compatible import OpenAICompatibleModel
from streametrics.llm.progress import AnswerProgress
from streametrics.llm.retries import Retrier
from streametrics.settings import Settings
from tests.support.doubles import ManualClock, Stop
from tests.support.model_server import (
    SUMMARY,
    HeldLoad,
    ModelServer,
    Reply,
    State,
    closed_port,
    knows_not,
    rate_limited,
    states,
)

MESSAGES: list[Message] = [
    {"role": "system", "content": "You write short summaries."},
    {"role": "user", "content": "We meet a dragon. The dragon burns the bridge. We win and sell the sword."},
]
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"overview": {"type": "string"}, "moments": {"type": "array", "items": {"type": "string"}}},
    "required": ["overview", "moments"],
    "additionalProperties": False,
}
MAX_TOKENS = 160
PATIENCE_S = 5
KEY = "sk-never-to-be-shown"

#: What makes a model of a server's address; more settings by name.
Make = Callable[..., ChatModel]


def settings(url: str, **more: Any) -> Settings:
    values: dict[str, Any] = {
        "ollama_url": url,
        "openai_base_url": f"{url}/v1",
        "openai_model": "mistral",
        "mistral_timeout": PATIENCE_S,
    }
    return Settings(_env_file=None, **values | more)


def ollama(url: str, waits: list[float] | None = None, **more: Any) -> OllamaModel:
    return OllamaModel(settings(url, **more), wait=([] if waits is None else waits).append)


def openai(url: str, waits: list[float] | None = None, **more: Any) -> OpenAICompatibleModel:
    return OpenAICompatibleModel(settings(url, **more), wait=([] if waits is None else waits).append)


def ask(model: ChatModel, **more: Any) -> ChatResponse:
    return model.chat(MESSAGES, max_tokens=MAX_TOKENS, **more)


@pytest.fixture(params=[ollama, openai], ids=["ollama", "openai_compatible"])
def make(request: pytest.FixtureRequest) -> Make:
    made: Make = request.param
    return made


# The contract


@pytest.fixture(params=["fake", "ollama", "openai_compatible"])
def model(request: pytest.FixtureRequest) -> Iterator[ChatModel]:
    with ExitStack() as stack:
        match request.param:
            case "fake":
                yield FakeChatModel()
            case "ollama":
                yield ollama(stack.enter_context(ModelServer()).url)
            case _:
                yield openai(stack.enter_context(ModelServer()).url)


def test_messages_get_an_answer(model: ChatModel) -> None:
    answer = ask(model)
    assert answer.text == answer.text.strip() != ""
    assert not answer.was_cut
    assert answer.prompt_tokens is not None
    assert answer.prompt_tokens >= 18


def test_a_model_says_what_it_is(model: ChatModel) -> None:
    assert model.source in ("ollama", "openai_compatible", "fake")
    assert model.model in ("mistral", "fake")
    assert model.context_tokens == 8192


def test_text_and_share_grow(model: ChatModel) -> None:
    told: list[tuple[str, float]] = []
    answer = ask(model, on_answer=lambda text, share: told.append((text, share)))
    texts, shares = [text for text, _ in told], [share for _, share in told]
    assert shares == sorted(shares)
    assert all(0 <= share <= 1 for share in shares)
    assert [len(text) for text in texts] == sorted(len(text) for text in texts)
    assert len(set(texts)) > 3
    assert texts[-1] == answer.text


def test_what_on_answer_raises_passes_unchanged(model: ChatModel) -> None:
    def stop(text: str, share: float) -> None:
        raise Stop

    with pytest.raises(Stop):
        ask(model, on_answer=stop)


def test_several_threads_are_served(model: ChatModel) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: ask(model), range(8)))
    assert len({answer.text for answer in answers}) == 1


def test_a_prompt_with_more_words_than_context_is_refused(model: ChatModel) -> None:
    with pytest.raises(TranscriptTooLong):
        model.chat([{"role": "user", "content": "word " * 9000}], max_tokens=MAX_TOKENS)


def test_warming_up_never_raises(model: ChatModel) -> None:
    model.warm_up()


def test_health_is_a_sentence(model: ChatModel) -> None:
    health = model.health()
    assert health.condition is Condition.WARM
    assert health.detail.endswith(".")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("ollama", OllamaModel), ("openai_compatible", OpenAICompatibleModel), ("fake", FakeChatModel)],
)
def test_the_settings_choose(name: str, kind: type) -> None:
    assert type(chat_model_factory.create(settings("http://localhost:1", summarizer=name))) is kind


def test_a_writer_that_asks_no_model_has_none() -> None:
    with pytest.raises(ValueError, match="extractive"):
        chat_model_factory.create(settings("http://localhost:1", summarizer="extractive"))


# Every state of a server

Ending = tuple[str, tuple[State, ...], str | type[SummarizerError], int, float]

#: name, script, the text or the error, tries, seconds waited between them (2, 4 and 6)
ENDINGS: list[Ending] = [
    ("ok", (states.ok,), SUMMARY, 1, 0),
    ("404", (states.model_missing,), ModelMissing, 1, 0),
    ("400 too long", (states.too_long,), TranscriptTooLong, 1, 0),
    ("400 else", (states.not_supported,), SummarizerRefused, 1, 0),
    ("500", (states.runner_died,), SummarizerBusy, 4, 12),
    ("503 twice", (states.queue_full, states.queue_full, states.ok), SUMMARY, 3, 6),
    ("silent before headers", (states.silent_before_headers,), SummarizerTimeout, 4, 12),
    ("silent in the body", (states.silent_in_body,), SummarizerTimeout, 4, 12),
    ("one token now and then", (states.trickling,), SummarizerTimeout, 4, 12),
    ("cut stream", (states.cut_stream,), SummarizerBusy, 4, 12),
    ("cut once", (states.cut_stream, states.ok), SUMMARY, 2, 2),
    ("error in the stream", (states.error_in_stream,), SummarizerBusy, 4, 12),
    ("empty", (states.empty,), SummaryUnusable, 2, 0),
    ("empty once", (states.empty, states.ok), SUMMARY, 2, 0),
    ("thinking only", (states.thinking_only,), SummaryUnusable, 2, 0),
    ("thinking in the text", (states.thinking_in_text,), SummaryUnusable, 2, 0),
    ("white space", (states.white_space,), SummaryUnusable, 2, 0),
    ("HTML", (states.html,), SummarizerRefused, 1, 0),
    ("404 in HTML", (states.html_not_found,), SummarizerRefused, 1, 0),
    ("10 MB", (states.ten_megabytes,), SummaryUnusable, 2, 0),
    ("prompt cut", (states.prompt_cut,), TranscriptTooLong, 1, 0),
    ("no counts", (states.no_counts,), SUMMARY, 1, 0),
]
ENDLESS = (states.silent_before_headers, states.silent_in_body, states.trickling)
endings = pytest.mark.parametrize(
    ("script", "ending", "tries", "waited_s"), [row[1:] for row in ENDINGS], ids=[row[0] for row in ENDINGS]
)


def meet(make: Make, ending: Ending, **more: Any) -> None:
    """Play the script to the model; expect the ending."""
    _, script, expected, tries, waited_s = ending
    limit_s = 0.6 if script[0] in ENDLESS else PATIENCE_S
    waits: list[float] = []
    with ModelServer(*script) as server:
        model = make(server.url, waits, mistral_timeout=limit_s, **more)
        if isinstance(expected, str):
            assert ask(model).text == expected
        else:
            with pytest.raises(expected) as raised:
                ask(model)
            assert type(raised.value) is expected
            assert str(raised.value).endswith(".")
        assert len(server.chats()) == tries
    assert sum(waits) == pytest.approx(waited_s)


@endings
def test_each_state_ends_as_documented(
    make: Make, script: tuple[State, ...], ending: str | type[SummarizerError], tries: int, waited_s: float
) -> None:
    meet(make, ("", script, ending, tries, waited_s))


def test_the_waits_between_tries_are_two_four_and_six_seconds(make: Make) -> None:
    for retries, waited_s in ((0, 0), (1, 2), (2, 6), (3, 12)):
        meet(make, ("", (states.queue_full,), SummarizerBusy, retries + 1, waited_s), mistral_max_retries=retries)


def test_an_answer_that_was_cut_is_marked(make: Make) -> None:
    with ModelServer(states.length_cut) as server:
        answer = ask(make(server.url))
    assert answer == ChatResponse("Ada beats the dragon. Then she sells the", True, 100_000)


def test_what_a_model_says_to_itself_is_not_its_answer(make: Make) -> None:
    def thinks_first(reply: Reply) -> None:
        reply.begin()
        for word in ("<think>", "What now?", "</think>", "Ada wins."):
            reply.token(word)
        reply.done()

    told: list[str] = []
    with ModelServer(thinks_first) as server:
        assert ask(make(server.url), on_answer=lambda text, _: told.append(text)).text == "Ada wins."
    assert not any("What" in text for text in told)


@pytest.mark.parametrize("url", ["not an address", "ftp://localhost", "http://localhost:99999", "http://[::1"])
def test_no_address_at_all_is_an_answer_too(make: Make, url: str) -> None:
    model = make(url, mistral_max_retries=0)
    assert model.health().condition is Condition.UNREACHABLE
    with pytest.raises(SummarizerUnavailable):
        ask(model)


def test_nobody_there_is_said_after_all_tries(make: Make) -> None:
    waits: list[float] = []
    with closed_port() as url:
        model = make(url, waits)
        with pytest.raises(SummarizerUnavailable, match="start it"):
            ask(model)
        assert model.health().condition is Condition.UNREACHABLE
    assert sum(waits) == pytest.approx(12)


def test_a_proxy_of_the_environment_is_not_asked_for_loopback(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    with closed_port() as proxy, ModelServer() as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert ask(make(server.url)).text == SUMMARY
        assert make(server.url).health().condition is Condition.WARM


# Leaving a call


@pytest.mark.parametrize("state", ENDLESS)
def test_leaving_a_call_hangs_up_at_once(make: Make, state: State) -> None:
    with ModelServer(state) as server:

        def stop(text: str, share: float) -> None:
            if server.chats():
                raise Stop

        with pytest.raises(Stop):
            ask(make(server.url, mistral_timeout=60), on_answer=stop)
        assert server.hung_up.wait(PATIENCE_S)
        assert len(server.chats()) == 1


def test_leaving_works_between_two_tries(make: Make) -> None:
    waits: list[float] = []

    def stop_in_the_wait(text: str, share: float) -> None:
        if waits:
            raise Stop

    with ModelServer(states.queue_full) as server:
        with pytest.raises(Stop):
            ask(make(server.url, waits), on_answer=stop_in_the_wait)
        assert len(server.chats()) == 1
    assert sum(waits) < 1


def test_a_reason_to_stop_is_not_taken_for_the_servers_failure(make: Make) -> None:
    told: list[str] = []

    def deadline(text: str, share: float) -> None:
        told.append(text)
        raise SummarizerTimeout("The live deadline is over.")

    with ModelServer() as server:
        model = make(server.url, breaker_failures=1)
        # Expect the error that was raised, no second try, and no word about it in the server's health
        with pytest.raises(SummarizerTimeout, match="live deadline"):
            ask(model, on_answer=deadline)
        assert len(told) == 1
        assert model.health().condition is Condition.WARM


def test_a_second_try_does_not_take_text_back(make: Make) -> None:
    told: list[str] = []
    with ModelServer(states.cut_stream, states.ok) as server:
        ask(make(server.url), on_answer=lambda text, share: told.append(text))
    assert [len(text) for text in told] == sorted(len(text) for text in told)
    assert told[-1] == SUMMARY


# Time


@pytest.mark.parametrize(("prompt_bytes", "first_s"), [(0, 30), (12_288, 41.25), (24_576, 52.5), (10**6, 52.5)])
def test_a_long_prompt_has_longer_for_its_first_token(prompt_bytes: int, first_s: float) -> None:
    clock = ManualClock()
    limits = timeouts.for_chat(clock, 60, prompt_bytes, 8192)
    assert limits.remaining_s() == pytest.approx(first_s)
    clock.move(first_s + 1)
    assert limits.remaining_s() < 0
    assert "wrote nothing" in str(limits.error())


def test_a_server_that_goes_silent_is_given_up_before_the_call_is_over() -> None:
    clock = ManualClock()
    limits = timeouts.for_chat(clock, 60, 0, 8192)
    # Given tokens that come, though slowly
    for _ in range(3):
        clock.move(14)
        assert limits.remaining_s() > 0
        limits.token_received()
    # Expect 15 s for the next one
    assert limits.remaining_s() == pytest.approx(15)
    clock.move(16)
    assert "broke off" in str(limits.error())
    # And that tokens never stretch the whole
    limits.token_received()
    assert limits.remaining_s() == pytest.approx(2)
    clock.move(3)
    assert "within 60 seconds" in str(limits.error())


@pytest.mark.parametrize("retry_after_s", [None, 1, 3600])
def test_all_tries_and_waits_together_take_252_seconds_at_most(retry_after_s: float | None) -> None:
    clock = ManualClock()
    limits: list[float] = []
    tries = Retrier(settings("", mistral_timeout=60), AnswerProgress(None), wait=clock.move, clock=clock)

    def silent() -> None:
        with tries.timed() as limit_s:
            limits.append(limit_s)
            clock.move(limit_s)
            tries.retry_after(retry_after_s)
            raise SummarizerBusy

    with pytest.raises(SummarizerBusy):
        tries.run(silent)
    assert clock.now == pytest.approx(252)
    assert len(limits) == 4
    assert limits[-1] >= 50


# Taking turns


def test_calls_take_turns_and_their_time_begins_with_the_turn(make: Make) -> None:
    # Given a server that works on a first call until the second one has waited for longer than its own limit
    first_begun, second_waited = threading.Event(), threading.Event()
    beats: list[float] = []

    def first(reply: Reply) -> None:
        first_begun.set()
        assert second_waited.wait(PATIENCE_S)
        assert len(server.chats()) == 1
        states.ok(reply)

    def waiting(text: str, share: float) -> None:
        beats.append(share)
        if len(beats) > 4:
            second_waited.set()

    with ModelServer(first, states.ok) as server, ThreadPoolExecutor(2) as pool:
        one = pool.submit(ask, make(server.url))
        assert first_begun.wait(PATIENCE_S)
        two = pool.submit(ask, make(server.url, mistral_timeout=0.8, mistral_max_retries=0), on_answer=waiting)
        # Expect both to be served
        assert one.result().text == two.result().text == SUMMARY


# Health


def test_a_model_whose_last_calls_failed_is_failing_until_one_succeeds(make: Make) -> None:
    with ModelServer(*[states.runner_died] * 3, states.ok) as server:
        model = make(server.url, mistral_max_retries=0, breaker_failures=3)
        for _ in range(3):
            assert model.health().condition is Condition.WARM
            with pytest.raises(SummarizerBusy):
                ask(model)
        health = model.health()
        assert health.condition is Condition.FAILING
        assert "its last 3 calls failed" in health.detail
        assert "see its log" in health.detail
        ask(model)
        assert model.health().condition is Condition.WORKING


def test_prompts_that_do_not_fit_are_no_failure_of_the_server(make: Make) -> None:
    with ModelServer(states.too_long) as server:
        model = make(server.url, breaker_failures=1)
        with pytest.raises(TranscriptTooLong):
            ask(model)
        assert model.health().condition is Condition.WARM


def test_a_password_in_an_address_is_not_shown(make: Make) -> None:
    with closed_port() as url:
        health = make(url.replace("http://", "http://me:secret@")).health()
    assert health.condition is Condition.UNREACHABLE
    assert url in health.detail
    assert "secret" not in health.detail


# Ollama alone


def test_every_call_bounds_context_and_answer_and_forbids_cutting() -> None:
    with ModelServer() as server:
        model = ollama(server.url + "/", mistral_num_ctx=4321)
        ask(model, schema=SCHEMA)
        ask(model)
        with_schema, plain = server.chats()
    assert with_schema["format"] == SCHEMA
    assert "format" not in plain
    for body in (with_schema, plain):
        assert body["messages"] == MESSAGES
        assert (body["model"], body["stream"], body["keep_alive"]) == ("mistral", True, "30m")
        assert (body["truncate"], body["shift"], body["think"]) == (False, False, False)
        assert body["options"]["num_ctx"] == 4321
        assert body["options"]["num_predict"] == MAX_TOKENS
        assert body["options"]["temperature"] <= 0.3


def test_more_words_than_context_are_never_sent(make: Make) -> None:
    with ModelServer() as server, pytest.raises(TranscriptTooLong):
        make(server.url).chat([{"role": "user", "content": "word " * 9000}], max_tokens=MAX_TOKENS)
    assert server.received == []


def test_a_cold_model_is_loaded_under_its_own_limit() -> None:
    # Given a load that takes longer than a call may
    def slow_load(reply: Reply) -> None:
        reply.hold(0.8)
        server.load(reply)

    with ModelServer(loaded=False) as server:
        server.on_load = slow_load
        # Expect the answer at the first try, and no second load
        assert ask(ollama(server.url, mistral_timeout=0.7, mistral_max_retries=0)).text == SUMMARY
        assert ask(ollama(server.url)).text == SUMMARY
        (load,) = [request.body for request in server.received if request.path == "/api/generate"]
    assert load is not None
    assert load["options"] == {"num_ctx": 8192}
    assert load["keep_alive"] == "30m"
    assert "prompt" not in load


def test_who_does_not_wait_for_the_load_does_not_end_it() -> None:
    # Given a load that is longer than a live chunk can wait
    load = HeldLoad()

    def leave(text: str, share: float) -> None:
        if load.began.is_set():
            raise Stop

    def stay(text: str, share: float) -> None:
        load.finish.set()

    with ModelServer(loaded=False) as server:
        server.on_load = load
        model = ollama(server.url)
        # When one chunk leaves, and the next one comes
        with pytest.raises(Stop):
            ask(model, on_answer=leave)
        # Expect it to find the same load
        assert ask(model, on_answer=stay).text == SUMMARY
        assert [request.path for request in server.received].count("/api/generate") == 1


def test_a_load_that_never_ends_is_tried_once() -> None:
    with ModelServer(loaded=False) as server:
        server.on_load = states.silent_before_headers
        model = OllamaModel(settings(server.url), wait=lambda _: None, load_timeout_s=0.3)
        with pytest.raises(SummarizerTimeout, match="load the model"):
            ask(model)
        assert [request.path for request in server.received] == ["/api/ps", "/api/generate"]


def test_a_model_in_memory_with_another_context_is_loaded_with_ours_first() -> None:
    def listed(reply: Reply) -> None:
        reply.json(200, {"models": [{"name": "mistral:latest", "context_length": 4096}]})

    with ModelServer() as server:
        server.on_ps = listed
        assert ask(ollama(server.url)).text == SUMMARY
        assert ask(ollama(server.url, mistral_num_ctx=4096)).text == SUMMARY
        paths = [request.path for request in server.received]
    assert paths == ["/api/ps", "/api/generate", "/api/chat", "/api/ps", "/api/chat"]


def test_a_model_is_warmed_up_without_waiting_and_says_so() -> None:
    load = HeldLoad()

    with ModelServer(loaded=False) as server:
        server.on_load = load
        model = ollama(server.url)
        # Given a cold model, when it is warmed up twice
        model.warm_up()
        assert load.began.wait(PATIENCE_S)
        model.warm_up()
        # Expect one load, which is told of while it runs, and a call that finds it
        health = model.health()
        assert health.condition is Condition.WARMING
        assert "being loaded" in health.detail
        assert ask(model, on_answer=lambda *_: load.finish.set()).text == SUMMARY
        assert [request.path for request in server.received].count("/api/generate") == 1
        assert model.health().condition is Condition.WORKING
        # And that a warm one is left alone
        model.warm_up()
        assert [request.path for request in server.received].count("/api/generate") == 1
    with closed_port() as url:
        ollama(url).warm_up()


def test_ollamas_conditions_are_told_apart() -> None:
    with ModelServer(loaded=False, models=("mistral:latest", "hf.co/some/model:q4")) as server:
        cold = ollama(server.url).health()
        assert cold.condition is Condition.COLD
        assert "not in memory" in cold.detail
        server.loaded = True
        for name, condition in (
            ("mistral", Condition.WARM),
            ("mistral:latest", Condition.WARM),
            ("hf.co/some/model:q4", Condition.WARM),
            ("mistral:7b", Condition.MODEL_MISSING),
            ("mixtral", Condition.MODEL_MISSING),
        ):
            assert ollama(server.url, mistral_model=name).health().condition is condition
        assert "ollama pull mixtral" in ollama(server.url, mistral_model="mixtral").health().detail
    with closed_port() as url:
        detail = f"Ollama does not answer at {url}: start it with 'ollama serve'."
        assert ollama(url).health() == ModelHealth(Condition.UNREACHABLE, detail)


# Servers of /v1 alone

V1_ENDINGS: list[Ending] = [
    ("comments between", (states.comments_between,), SUMMARY, 1, 0),
    ("not streamed", (states.not_streamed,), SUMMARY, 1, 0),
    ("no last mark", (states.no_last_mark,), SUMMARY, 1, 0),
    ("filtered", (states.filtered,), SummarizerRefused, 1, 0),
    ("413", (states.too_large,), TranscriptTooLong, 1, 0),
    ("401", (states.no_key,), SummarizerRefused, 1, 0),
    ("403", (states.forbidden,), SummarizerRefused, 1, 0),
    ("429 for good", (states.no_quota,), SummarizerRefused, 1, 0),
    ("404 of a route", (states.no_route,), SummarizerRefused, 1, 0),
    ("429", (rate_limited("0"), states.ok), SUMMARY, 2, 2),
    ("Retry-After", (rate_limited("5"), states.ok), SUMMARY, 2, 5),
    ("Retry-After of an hour", (rate_limited("3600"), states.ok), SUMMARY, 2, 6),
    ("Retry-After as a date", (rate_limited("Wed, 21 Oct 2026 07:28:00 GMT"), states.ok), SUMMARY, 2, 2),
]


@pytest.mark.parametrize("ending", V1_ENDINGS, ids=[row[0] for row in V1_ENDINGS])
def test_each_state_of_a_v1_server_ends_as_documented(ending: Ending) -> None:
    meet(openai, ending, openai_api_key=KEY)


def test_an_answer_that_is_whole_is_not_held_up_by_what_should_follow_it() -> None:
    begun = time.monotonic()
    with ModelServer(states.no_last_mark) as server:
        assert ask(openai(server.url, mistral_timeout=60)).text == SUMMARY
    assert time.monotonic() - begun < 10  # 15 s of silence would be given to one that still writes


@pytest.mark.parametrize(
    "reason",
    [
        "This model's maximum context length is 8192 tokens. Please reduce the length of the messages.",
        "the request exceeds the available context size, try increasing it",
        "prompt is too long: 9000 tokens > 8192 maximum",
        "'max_tokens' is too large: 500. This model's maximum context length is 8192 tokens",
    ],
)
@pytest.mark.parametrize("status", [400, 500])
def test_every_servers_word_for_too_long_is_understood(reason: str, status: int) -> None:
    meet(openai, ("", (lambda reply: reply.error(status, reason),), TranscriptTooLong, 1, 0))


def test_a_request_in_the_words_of_v1() -> None:
    with ModelServer() as server:
        model = openai(server.url, openai_api_key=f"  {KEY}\n")
        answer = ask(model, schema=SCHEMA)
        ask(openai(server.url))
        first, second = [request for request in server.received if request.body]
    body = first.body
    assert body is not None
    assert (answer.prompt_tokens, first.path) == (100_000, "/v1/chat/completions")
    assert (first.authorization, second.authorization) == (f"Bearer {KEY}", "")
    assert (body["model"], body["stream"], body["max_tokens"]) == ("mistral", True, MAX_TOKENS)
    assert body["messages"] == MESSAGES
    assert body["stream_options"] == {"include_usage": True}
    assert body["response_format"]["type"] == "json_schema"
    assert body["response_format"]["json_schema"]["schema"] == SCHEMA
    assert second.body is not None
    assert "response_format" not in second.body


@pytest.mark.parametrize(
    ("field", "reason", "instead"),
    [
        ("response_format", "'response_format.type' must be 'text'", None),
        ("stream_options", "Unrecognized request argument supplied: stream_options", None),
        ("temperature", "Unsupported value: 'temperature' does not support 0.2 with this model.", None),
        ("max_tokens", "'max_tokens' is not supported. Use 'max_completion_tokens'.", "max_completion_tokens"),
    ],
)
def test_a_field_that_a_server_refuses_is_not_sent_again(field: str, reason: str, instead: str | None) -> None:
    waits: list[float] = []
    with ModelServer(knows_not(field, reason)) as server:
        model = openai(server.url, waits, mistral_max_retries=0)
        assert ask(model, schema=SCHEMA).text == SUMMARY
        assert ask(model, schema=SCHEMA).text == SUMMARY
        sent = [field in body for body in server.chats()]
        last = server.chats()[-1]
    assert sent == [True, False, False]
    assert waits == []
    if instead is not None:
        assert last[instead] == MAX_TOKENS


def test_a_bare_host_means_its_v1() -> None:
    with ModelServer() as server:
        assert ask(openai(server.url, openai_base_url=server.url)).text == SUMMARY
        assert ask(openai(server.url, openai_base_url=server.url + "/v1/")).text == SUMMARY


def test_the_conditions_of_a_v1_server_are_told_apart() -> None:
    def answers(state: State) -> ModelHealth:
        server.on_models = state
        return openai(server.url, openai_api_key=KEY).health()

    with ModelServer(models=("mistral:latest", "other")) as server:
        assert openai(server.url).health().condition is Condition.WARM
        assert openai(server.url, openai_model="other").health().condition is Condition.WARM
        missing = openai(server.url, openai_model="mixtral").health()
        assert missing.condition is Condition.MODEL_MISSING
        assert "It has: mistral:latest, other." in missing.detail
        unset = openai(server.url, openai_model="").health()
        assert unset.condition is Condition.MODEL_MISSING
        assert "OPENAI_MODEL" in unset.detail
        for state in (states.no_key, states.forbidden):
            refused = answers(state)
            assert refused.condition is Condition.FAILING
            assert "OPENAI_API_KEY" in refused.detail
        assert answers(states.html_not_found).condition is Condition.UNREACHABLE
        # A server without a list may still answer
        assert answers(states.no_route).condition is Condition.WARM


def test_a_model_without_a_name_is_not_asked_for() -> None:
    with ModelServer() as server, pytest.raises(ModelMissing, match="OPENAI_MODEL"):
        ask(openai(server.url, openai_model=""))
    assert server.received == []


@pytest.mark.parametrize("key", [KEY, "sk-näh", "sk\nX-Other: 1"])
def test_the_key_is_in_no_error_and_no_log(key: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")

    def repeats_the_key(reply: Reply) -> None:
        reply.error(400, f"I cannot work with {reply.headers.get('Authorization')}")

    with ModelServer(repeats_the_key) as server:
        model = openai(server.url, openai_api_key=key)
        with pytest.raises(SummarizerRefused) as raised:
            ask(model)
    said: BaseException | None = raised.value
    while said is not None:
        assert key not in str(said)
        said = said.__cause__
    assert key not in caplog.text
    assert key not in repr(settings("", openai_api_key=key))


# The fake


def test_the_fake_counts_cuts_and_refuses_as_it_is_told() -> None:
    messages: list[Message] = [{"role": "user", "content": "abcdefghij"}]
    fake = FakeChatModel(lambda *_: "one two three", context_tokens=10, count=len)
    assert fake.chat(messages, max_tokens=7) == ChatResponse("one two", True, 10)
    assert FakeChatModel(tells_tokens=False).chat(messages, max_tokens=99).prompt_tokens is None
    with pytest.raises(TranscriptTooLong):
        fake.chat([{"role": "user", "content": "abcdefghijk"}], max_tokens=7)
    with pytest.raises(SummaryUnusable):
        FakeChatModel(lambda *_: " \n").chat(messages, max_tokens=7)
    (asked,) = fake.calls
    assert (asked.messages, asked.max_tokens, asked.prompt_tokens) == (tuple(messages), 7, 10)


def test_the_fake_copies_what_is_marked() -> None:
    said = "Hello. MARK one is red. Then MARK two is blue. MARK one is red."
    messages: list[Message] = [{"role": "user", "content": said}]
    for fake in (FakeChatModel(copies=r"MARK[^.]*\."), FakeChatModel(copying(r"MARK[^.]*\."))):
        assert fake.chat(messages, max_tokens=99).text == "MARK one is red. MARK two is blue."


def test_the_fake_obeys_a_schema() -> None:
    found = json.loads(ask(FakeChatModel(), schema=SCHEMA).text)
    assert set(found) == {"overview", "moments"}
    assert isinstance(found["overview"], str)
    assert found["moments"] == []


def test_the_fake_fails_as_ordered() -> None:
    fake = FakeChatModel(failures=[SummarizerBusy(), None])
    with pytest.raises(SummarizerBusy):
        ask(fake)
    assert ask(fake).text
    assert len(fake.calls) == 2
