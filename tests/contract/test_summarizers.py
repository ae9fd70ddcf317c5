"""One suite for every writer of summaries, then what the chain promises.

The model server is scripted, on a real socket. Time limits are fractions of a second and the waits between tries are
counted, not slept. What each wire does in each state stands in `test_chat_models`.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from streametrics.errors import (
    ModelMissing,
    SummarizerBusy,
    SummarizerRefused,
    SummarizerTimeout,
    SummarizerUnavailable,
    SummaryUnusable,
    TranscriptTooLong,
)
from streametrics.llm.fake import FakeChatModel
from streametrics.llm.ollama import OllamaModel
from streametrics.settings import Settings
from streametrics.summarization.base import Notes, OnText, Summarizer, Summary, SummaryRequest
from streametrics.summarization.extractive import ExtractiveSummarizer
from streametrics.summarization.factory import create
from streametrics.summarization.fake import FakeSummarizer
from streametrics.summarization.fallback import FallbackSummarizer
from streametrics.summarization.llm_summarizer import LlmSummarizer
from streametrics.summarization.prompts import PROMPT_VERSION
from tests.support.doubles import NotesInMemory, Stop
from tests.support.model_server import SUMMARY, ModelServer, State, closed_port, states

REQUEST = SummaryRequest("We meet a dragon. The dragon burns the bridge. We win and sell the sword.", "en", "Ada")
PATIENCE_S = 5


def settings(url: str, **more: Any) -> Settings:
    values: dict[str, Any] = {"ollama_url": url, "mistral_timeout": 0.3} | more
    return Settings(_env_file=None, **values)


def ollama(url: str, waits: list[float] | None = None, **more: Any) -> LlmSummarizer:
    waits = [] if waits is None else waits
    chosen = settings(url, **more)
    return LlmSummarizer(OllamaModel(chosen, wait=waits.append), chosen)


def by_fake(**more: Any) -> LlmSummarizer:
    return LlmSummarizer(FakeChatModel(lambda *_: SUMMARY, **more), settings("http://localhost:1"))


# The contract


@pytest.fixture(params=["extractive", "fake", "model", "ollama", "chain", "chain without a server"])
def writer(request: pytest.FixtureRequest) -> Iterator[Summarizer]:
    with ExitStack() as stack:
        match request.param:
            case "extractive":
                yield ExtractiveSummarizer()
            case "fake":
                yield FakeSummarizer()
            case "model":
                yield by_fake()
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


@pytest.mark.parametrize("name", ["extractive", "fake", "model", "ollama", "chain"])
def test_what_on_text_raises_passes_unchanged(name: str) -> None:
    def stop(text: str, share: float) -> None:
        raise Stop

    with ModelServer() as server:
        model = ollama(server.url)
        writers: dict[str, Summarizer] = {
            "extractive": ExtractiveSummarizer(),
            "fake": FakeSummarizer(),
            "model": by_fake(),
            "ollama": model,
            "chain": FallbackSummarizer(model, ExtractiveSummarizer()),
        }
        with pytest.raises(Stop):
            writers[name].summarize(REQUEST, on_text=stop)


def test_a_short_transcript_needs_no_notes(writer: Summarizer) -> None:
    kept = NotesInMemory()
    assert writer.write_incremental_notes(REQUEST, kept, check=lambda: None) == 0
    writer.summarize(REQUEST, notes=kept)
    assert kept == {}


def test_only_a_models_summary_names_the_version_of_its_prompts(writer: Summarizer) -> None:
    summary = writer.summarize(REQUEST)
    assert summary.prompt_version == (PROMPT_VERSION if summary.text == SUMMARY else None)


# Every state of the server, through the chain

#: name, script, the summary or the warning's code
ENDINGS: list[tuple[str, tuple[State, ...], str]] = [
    ("ok", (states.ok,), SUMMARY),
    ("404", (states.model_missing,), ModelMissing.code),
    ("400 too long", (states.too_long,), TranscriptTooLong.code),
    ("400 else", (states.not_supported,), SummarizerRefused.code),
    ("500", (states.runner_died,), SummarizerBusy.code),
    ("503 twice", (states.queue_full, states.queue_full, states.ok), SUMMARY),
    ("silent before headers", (states.silent_before_headers,), SummarizerTimeout.code),
    ("silent in the body", (states.silent_in_body,), SummarizerTimeout.code),
    ("one token now and then", (states.trickling,), SummarizerTimeout.code),
    ("cut stream", (states.cut_stream,), SummarizerBusy.code),
    ("cut once", (states.cut_stream, states.ok), SUMMARY),
    ("error in the stream", (states.error_in_stream,), SummarizerBusy.code),
    ("empty", (states.empty,), SummaryUnusable.code),
    ("empty once", (states.empty, states.ok), SUMMARY),
    ("thinking only", (states.thinking_only,), SummaryUnusable.code),
    ("thinking in the text", (states.thinking_in_text,), SummaryUnusable.code),
    ("white space", (states.white_space,), SummaryUnusable.code),
    ("HTML", (states.html,), SummarizerRefused.code),
    ("404 in HTML", (states.html_not_found,), SummarizerRefused.code),
    ("10 MB", (states.ten_megabytes,), SummaryUnusable.code),
    ("prompt cut", (states.prompt_cut,), TranscriptTooLong.code),
    ("answer cut", (states.length_cut,), "Ada beats the dragon."),
]


@pytest.mark.parametrize(("script", "ending"), [row[1:] for row in ENDINGS], ids=[row[0] for row in ENDINGS])
def test_the_chain_delivers_a_summary_in_every_state(script: tuple[State, ...], ending: str) -> None:
    with ModelServer(*script) as server:
        chain = FallbackSummarizer(ollama(server.url, mistral_max_retries=2), ExtractiveSummarizer())
        summary = chain.summarize(REQUEST)
    if ending.endswith("."):
        assert (summary.text, summary.source, summary.warnings) == (ending, "ollama", ())
    else:
        assert (summary.source, summary.model) == ("extractive", None)
        assert [warning.code for warning in summary.warnings] == [ending]


# Leaving a call


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
        FallbackSummarizer(ollama(url, waits), None).summarize(REQUEST)
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
        ({"summarizer": "ollama", "summary_fallback": "error"}, FallbackSummarizer),
        ({"summarizer": "openai_compatible"}, FallbackSummarizer),
        ({"summarizer": "extractive"}, ExtractiveSummarizer),
        ({"summarizer": "fake"}, FakeSummarizer),
    ],
)
def test_the_settings_choose(chosen: dict[str, str], kind: type) -> None:
    assert type(create(settings("http://localhost:1", **chosen))) is kind


@pytest.mark.parametrize("chosen", ["ollama", "openai_compatible"])
def test_a_models_writer_is_called_by_the_name_of_its_server(chosen: str) -> None:
    assert create(settings("http://localhost:1", summarizer=chosen)).source == chosen


# The fake


def test_the_fake_fails_as_ordered_and_remembers_its_calls() -> None:
    fake = FakeSummarizer(text="Two words", failures=[SummarizerBusy(), None])
    with pytest.raises(SummarizerBusy):
        fake.summarize(REQUEST)
    assert fake.summarize(REQUEST).text == "Two words"
    assert fake.calls == [REQUEST, REQUEST]
