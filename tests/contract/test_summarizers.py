"""One suite for every writer of summaries, then what only Ollama's adapter and the chain promise.

The model server is scripted, on a real socket. Time limits are fractions of a second and the waits between tries are
counted, not slept.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
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
from streametrics.settings import Settings
from streametrics.summarizer import Notes, OnText, Summarizer, SummarizerHealth, Summary, SummaryRequest
from streametrics.summarizers import create
from streametrics.summarizers.chain import FallbackSummarizer
from streametrics.summarizers.extractive import ExtractiveSummarizer
from streametrics.summarizers.fake import FakeSummarizer
from streametrics.summarizers.ollama import OllamaSummarizer
from tests.model_server import SUMMARY, ModelServer, Reply, State, closed_port, states

REQUEST = SummaryRequest("We meet a dragon. The dragon burns the bridge. We win and sell the sword.", "en", "Ada")
PATIENCE_S = 5


class Stop(Exception):
    """What a job that is cancelled raises."""


def settings(url: str, **more: Any) -> Settings:
    values: dict[str, Any] = {"ollama_url": url, "mistral_timeout": 0.3} | more
    return Settings(_env_file=None, **values)


def ollama(url: str, waits: list[float] | None = None, **more: Any) -> OllamaSummarizer:
    waits = [] if waits is None else waits
    return OllamaSummarizer(settings(url, **more), wait=waits.append)


# The contract


@pytest.fixture(params=["extractive", "fake", "ollama", "chain", "chain without a server"])
def writer(request: pytest.FixtureRequest) -> Iterator[Summarizer]:
    with ExitStack() as stack:
        match request.param:
            case "extractive":
                yield ExtractiveSummarizer()
            case "fake":
                yield FakeSummarizer()
            case "ollama":
                yield ollama(stack.enter_context(ModelServer()).url)
            case "chain":
                yield FallbackSummarizer(ollama(stack.enter_context(ModelServer()).url), ExtractiveSummarizer())
            case _:
                yield FallbackSummarizer(ollama(stack.enter_context(closed_port())), ExtractiveSummarizer())


def test_a_transcript_gets_a_summary_with_its_source(writer: Summarizer) -> None:
    summary = writer.summarize(REQUEST)
    assert summary.text.strip()
    assert "\n" not in summary.text
    assert summary.source in ("extractive", "fake", "ollama")


@pytest.mark.parametrize("silence", ["", " \n", "…", "♪ ♪"])
def test_silence_is_told_in_the_language_asked_for(writer: Summarizer, silence: str) -> None:
    summary = writer.summarize(SummaryRequest(silence, "fr"))
    assert summary.text == "Personne ne parle dans cet enregistrement."
    assert (summary.source, summary.model) == ("extractive", None)
    assert [warning.code for warning in summary.warnings] == ["no_speech"]


def test_text_and_share_grow(writer: Summarizer) -> None:
    told: list[tuple[str, float]] = []
    writer.summarize(REQUEST, on_text=lambda text, share: told.append((text, share)))
    shares = [share for _, share in told]
    lengths = [len(text) for text, _ in told]
    assert shares == sorted(shares)
    assert all(0 <= share <= 1 for share in shares)
    assert lengths == sorted(lengths)


def test_several_threads_are_served(writer: Summarizer) -> None:
    with ThreadPoolExecutor(4) as pool:
        texts = [summary.text for summary in pool.map(writer.summarize, [REQUEST] * 8)]
    assert len(set(texts)) == 1


def test_health_speaks_in_sentences(writer: Summarizer) -> None:
    assert writer.health().detail.endswith(".")


@pytest.mark.parametrize("name", ["extractive", "fake", "ollama", "chain"])
def test_what_on_text_raises_passes_unchanged(name: str) -> None:
    def stop(text: str, share: float) -> None:
        raise Stop

    with ModelServer() as server:
        model = ollama(server.url)
        writers: dict[str, Summarizer] = {
            "extractive": ExtractiveSummarizer(),
            "fake": FakeSummarizer(),
            "ollama": model,
            "chain": FallbackSummarizer(model, ExtractiveSummarizer()),
        }
        with pytest.raises(Stop):
            writers[name].summarize(REQUEST, on_text=stop)


# Ollama in every state

Ending = tuple[str, tuple[State, ...], str | type[SummarizerError], int, float]

#: name, script, the summary or the error, tries, seconds waited between them (2, 4 and 6)
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
    ("answer cut", (states.length_cut,), "Ada beats the dragon.", 1, 0),
]
endings = pytest.mark.parametrize(
    ("script", "ending", "tries", "waited_s"), [row[1:] for row in ENDINGS], ids=[row[0] for row in ENDINGS]
)


@endings
def test_each_state_of_the_server_ends_as_documented(
    script: tuple[State, ...], ending: str | type[SummarizerError], tries: int, waited_s: float
) -> None:
    waits: list[float] = []
    with ModelServer(*script) as server:
        summarizer = ollama(server.url, waits)
        if isinstance(ending, str):
            summary = summarizer.summarize(REQUEST)
            assert (summary.text, summary.source, summary.model) == (ending, "ollama", "mistral")
        else:
            with pytest.raises(ending) as raised:
                summarizer.summarize(REQUEST)
            assert type(raised.value) is ending
            assert str(raised.value).endswith(".")
        assert len(server.chats()) == tries
    assert sum(waits) == pytest.approx(waited_s)


@endings
def test_the_chain_delivers_a_summary_in_every_state(
    script: tuple[State, ...], ending: str | type[SummarizerError], tries: int, waited_s: float
) -> None:
    with ModelServer(*script) as server:
        chain = FallbackSummarizer(ollama(server.url, mistral_max_retries=tries - 1), ExtractiveSummarizer())
        summary = chain.summarize(REQUEST)
    if isinstance(ending, str):
        assert (summary.text, summary.source, summary.warnings) == (ending, "ollama", ())
    else:
        assert (summary.source, summary.model) == ("extractive", None)
        assert [warning.code for warning in summary.warnings] == [ending.code]


def test_the_waits_between_tries_are_two_four_and_six_seconds() -> None:
    for retries, waited_s in ((0, 0), (1, 2), (2, 6), (3, 12)):
        waits: list[float] = []
        with ModelServer(states.queue_full) as server, pytest.raises(SummarizerBusy):
            ollama(server.url, waits, mistral_max_retries=retries).summarize(REQUEST)
        assert sum(waits) == pytest.approx(waited_s)


def test_every_call_bounds_context_and_answer_and_forbids_cutting() -> None:
    with ModelServer() as server:
        ollama(server.url + "/", mistral_num_ctx=4321).summarize(REQUEST)
        body = server.chats()[0]
    assert (body["model"], body["stream"], body["keep_alive"]) == ("mistral", True, "30m")
    assert (body["truncate"], body["shift"], body["think"]) == (False, False, False)
    assert body["options"]["num_ctx"] == 4321
    assert 100 <= body["options"]["num_predict"] <= 300
    assert body["options"]["temperature"] <= 0.3


def test_more_words_than_context_are_never_sent() -> None:
    with ModelServer() as server, pytest.raises(TranscriptTooLong):
        ollama(server.url).summarize(SummaryRequest("word " * 9000, "en"))
    assert server.received == []


def test_a_proxy_of_the_environment_is_not_asked_for_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    with closed_port() as proxy, ModelServer() as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert ollama(server.url).summarize(REQUEST).text == SUMMARY
        assert ollama(server.url).health().reachable


# Leaving a call


def stop_when(condition: Callable[[ModelServer], bool], server: ModelServer) -> Callable[[str, float], None]:
    def on_text(text: str, share: float) -> None:
        if condition(server):
            raise Stop

    return on_text


@pytest.mark.parametrize("state", [states.silent_before_headers, states.silent_in_body, states.trickling])
def test_leaving_a_call_hangs_up_at_once(state: State) -> None:
    with ModelServer(state) as server:
        summarizer = ollama(server.url, mistral_timeout=60)
        with pytest.raises(Stop):
            summarizer.summarize(REQUEST, on_text=stop_when(lambda played: bool(played.chats()), server))
        assert server.hung_up.wait(PATIENCE_S)
        assert len(server.chats()) == 1


def test_leaving_works_between_two_tries() -> None:
    waits: list[float] = []

    def stop_in_the_wait(text: str, share: float) -> None:
        if waits:
            raise Stop

    with ModelServer(states.queue_full) as server:
        with pytest.raises(Stop):
            ollama(server.url, waits).summarize(REQUEST, on_text=stop_in_the_wait)
        assert len(server.chats()) == 1
    assert sum(waits) < 1


def test_a_reason_to_stop_is_not_taken_for_the_servers_failure() -> None:
    told: list[str] = []

    def deadline(text: str, share: float) -> None:
        told.append(text)
        if len(told) == 1:
            raise SummarizerTimeout("The live deadline is over.")

    with ModelServer() as server:
        # Expect the error that was raised, and no second try
        with pytest.raises(SummarizerTimeout, match="live deadline"):
            ollama(server.url).summarize(REQUEST, on_text=deadline)
        assert len(told) == 1
        told.clear()
        # And through the chain it is what brings the fallback
        chain = FallbackSummarizer(ollama(server.url), ExtractiveSummarizer())
        summary = chain.summarize(REQUEST, on_text=deadline)
    assert summary.source == "extractive"
    assert summary.warnings[0].message.startswith("The live deadline is over.")


def test_a_request_whose_time_is_out_gets_the_fallback_and_the_models_call_is_stopped() -> None:
    late = replace(REQUEST, time_limit_s=0.2)
    with ModelServer(states.silent_in_body) as server:
        summary = FallbackSummarizer(ollama(server.url), ExtractiveSummarizer()).summarize(late)
        assert server.hung_up.wait(5)
    assert (summary.source, summary.warnings[0].code) == ("extractive", "model_server_timeout")
    assert "LIVE_DEADLINE_S" in summary.warnings[0].message


def test_a_writer_without_a_fallback_is_not_cut_off_by_the_time_limit() -> None:
    assert ExtractiveSummarizer().summarize(replace(REQUEST, time_limit_s=0.0), on_text=lambda *_: None).text


def test_a_second_try_does_not_take_text_back() -> None:
    told: list[str] = []
    with ModelServer(states.cut_stream, states.ok) as server:
        ollama(server.url).summarize(REQUEST, on_text=lambda text, share: told.append(text))
    assert [len(text) for text in told] == sorted(len(text) for text in told)
    assert told[-1] == SUMMARY


# Loading and taking turns


def test_a_cold_model_is_loaded_under_its_own_limit() -> None:
    # Given a load that takes longer than a call may
    def slow_load(reply: Reply) -> None:
        reply.hold(0.6)
        server.loaded = True
        reply.json(200, {"done": True, "done_reason": "load"})

    with ModelServer(loaded=False) as server:
        server.on_load = slow_load
        # Expect the summary at the first try, and no second load
        assert ollama(server.url, mistral_max_retries=0).summarize(REQUEST).text == SUMMARY
        assert ollama(server.url).summarize(REQUEST).text == SUMMARY
        loads = [request.body for request in server.received if request.path == "/api/generate"]
    assert len(loads) == 1
    assert loads[0] is not None
    assert loads[0]["options"]["num_ctx"] == 8192
    assert loads[0]["keep_alive"] == "30m"
    assert "prompt" not in loads[0]


def test_a_load_that_never_ends_is_tried_once() -> None:
    with ModelServer(loaded=False) as server:
        server.on_load = states.silent_before_headers
        summarizer = OllamaSummarizer(settings(server.url), wait=lambda _: None, load_timeout_s=0.3)
        with pytest.raises(SummarizerTimeout, match="load the model"):
            summarizer.summarize(REQUEST)
        assert [request.path for request in server.received] == ["/api/ps", "/api/generate"]


def test_calls_take_turns_and_their_time_begins_with_the_turn() -> None:
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
        if len(beats) > 3:
            second_waited.set()

    with ModelServer(first, states.ok) as server, ThreadPoolExecutor(2) as pool:
        one = pool.submit(ollama(server.url, mistral_timeout=PATIENCE_S).summarize, REQUEST)
        assert first_begun.wait(PATIENCE_S)
        two = pool.submit(ollama(server.url, mistral_max_retries=0).summarize, REQUEST, on_text=waiting)
        # Expect both to be served
        assert one.result().text == two.result().text == SUMMARY


# Health


def test_a_model_is_found_with_and_without_its_tag() -> None:
    with ModelServer(models=("mistral:latest", "hf.co/some/model:q4")) as server:
        for model, there in (("mistral", True), ("mistral:latest", True), ("mistral:7b", False), ("mixtral", False)):
            assert ollama(server.url, mistral_model=model).health().has_model is there
        assert ollama(server.url, mistral_model="hf.co/some/model:q4").health().has_model
        assert "ollama pull mixtral" in ollama(server.url, mistral_model="mixtral").health().detail


def test_health_of_a_server_that_is_not_there_says_what_to_start() -> None:
    with closed_port() as url:
        with_password = url.replace("http://", "http://me:secret@")
        assert ollama(url).health() == SummarizerHealth(
            False, False, f"Ollama does not answer at {url}: start it with 'ollama serve'."
        )
        assert "secret" not in ollama(with_password).health().detail


@pytest.mark.parametrize(
    "url", ["not an address", "http://", "ftp://localhost", "http://localhost:99999", "http://[::1"]
)
def test_health_of_no_address_at_all_is_an_answer_too(url: str) -> None:
    assert not ollama(url).health().reachable


# The chain


def test_a_server_that_is_not_there_costs_no_waiting() -> None:
    waits: list[float] = []
    with closed_port() as url:
        chain = FallbackSummarizer(ollama(url, waits), ExtractiveSummarizer())
        summary = chain.summarize(REQUEST)
    assert waits == []
    assert summary.source == "extractive"
    assert summary.warnings[0].code == SummarizerUnavailable.code
    assert "ollama serve" in summary.warnings[0].message


def test_a_model_that_is_not_there_is_not_asked_for() -> None:
    with ModelServer(models=("llama3:latest",)) as server:
        summary = FallbackSummarizer(ollama(server.url), ExtractiveSummarizer()).summarize(REQUEST)
        assert server.chats() == []
    assert (summary.source, summary.warnings[0].code) == ("extractive", ModelMissing.code)


def test_without_the_fallback_all_tries_are_made_and_the_error_is_raised() -> None:
    waits: list[float] = []
    with closed_port() as url, pytest.raises(SummarizerUnavailable, match="ollama serve"):
        ollama(url, waits, summary_fallback="error").summarize(REQUEST)
    assert sum(waits) == pytest.approx(12)


def test_the_chain_hides_no_mistake_of_ours() -> None:
    class Broken(FakeSummarizer):
        def summarize(
            self, request: SummaryRequest, *, on_text: OnText | None = None, notes: Notes | None = None
        ) -> Summary:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        FallbackSummarizer(Broken(), ExtractiveSummarizer()).summarize(REQUEST)


@pytest.mark.parametrize(
    ("chosen", "kind"),
    [
        ({"summarizer": "ollama"}, FallbackSummarizer),
        ({"summarizer": "ollama", "summary_fallback": "error"}, OllamaSummarizer),
        ({"summarizer": "extractive"}, ExtractiveSummarizer),
        ({"summarizer": "fake"}, FakeSummarizer),
    ],
)
def test_the_settings_choose(chosen: dict[str, str], kind: type) -> None:
    assert type(create(settings("http://localhost:1", **chosen))) is kind


# The fake


def test_the_fake_fails_as_ordered_and_remembers_its_calls() -> None:
    fake = FakeSummarizer(text="Two words", failures=[SummarizerBusy(), None])
    with pytest.raises(SummarizerBusy):
        fake.summarize(REQUEST)
    assert fake.summarize(REQUEST).text == "Two words"
    assert fake.calls == [REQUEST, REQUEST]
