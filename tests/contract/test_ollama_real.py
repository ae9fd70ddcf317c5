"""The adapter against a real Ollama with a very small model: the wire, not the prose."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from streametrics.errors import ModelMissing, SummarizerUnavailable, TranscriptTooLong
from streametrics.llm.base import ChatResponse, Condition, Message
from streametrics.llm.ollama import OllamaModel
from streametrics.llm.openai_compatible import OpenAICompatibleModel
from streametrics.settings import Settings
from streametrics.summarization.base import SummaryRequest
from streametrics.summarization.factory import create
from tests.support import ollama_server

pytestmark = pytest.mark.ollama

TRANSCRIPT = (
    "Welcome back everybody. Today we fight the ice dragon with the new sword that chat chose yesterday. "
    "The dragon burned the bridge, so we have to swim. We lost two lives in the water. "
    "Now the dragon is down, chat, the dragon is down! Thank you for the sword."
)
REQUEST = SummaryRequest(TRANSCRIPT, "en", streamer="Ada", game="Dragon Quest", title="Ice dragon tonight")
MESSAGES: list[Message] = [
    {"role": "system", "content": "You write short summaries of live streams."},
    {"role": "user", "content": f"{TRANSCRIPT}\n\nSummarise this in two sentences."},
]
MAX_TOKENS = 100
PATIENCE_S = 240


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ollama_server.running(tmp_path_factory.mktemp("ollama") / "ollama.log") as url:
        yield url


def settings(url: str, **more: Any) -> Settings:
    # The limit is generous: two cores may be busy with everything else that is tested.
    return Settings(_env_file=None, ollama_url=url, mistral_num_ctx=2048, mistral_timeout=PATIENCE_S, **more)


def ask(model: OllamaModel | OpenAICompatibleModel, **more: Any) -> ChatResponse:
    return model.chat(MESSAGES, **({"max_tokens": MAX_TOKENS} | more))


def test_a_cold_model_is_told_from_a_warm_one(url: str) -> None:
    # Given a server that has just been started; one that ran before may have the model in memory
    model = OllamaModel(settings(url + "/"))
    assert model.health().condition in (Condition.COLD, Condition.WARM)
    # When it is told to load it, expect it to say that it does, if it is not quicker
    model.warm_up()
    assert model.health().condition in (Condition.WARMING, Condition.WARM)
    # When it has answered
    ask(model)
    # Expect the model in memory, and that who has not asked it knows that much and no more
    health = model.health()
    assert health.condition is Condition.WORKING
    assert OllamaModel(settings(url)).health().condition is Condition.WARM
    assert "has the model 'mistral'" in health.detail


def test_the_answer_streams(url: str) -> None:
    told: list[tuple[str, float]] = []
    answer = ask(OllamaModel(settings(url)), on_answer=lambda text, share: told.append((text, share)))
    texts = [text for text, _ in told if text]
    shares = [share for _, share in told]
    assert len(set(texts)) > 3
    assert texts[-1] == answer.text
    assert shares == sorted(shares)
    assert 0 < shares[-1] <= 1
    # The prompt has 65 words; the template around it adds some tokens
    assert answer.prompt_tokens is not None
    assert 65 < answer.prompt_tokens < 200


def test_the_services_summary_is_the_models(url: str) -> None:
    summarizer = create(settings(url))

    def is_streamed_by_the_model() -> bool:
        told: list[str] = []
        summary = summarizer.summarize(REQUEST, on_text=lambda text, share: told.append(text))
        assert summary.text
        is_the_models = (summary.source, summary.model) == ("ollama", "mistral")
        return is_the_models and len({text for text in told if text}) > 3

    # When a chunk is summarized through the chain that the service uses, expect the model's words, streamed as they
    # grew. So small a model repeats its instruction one time in 25, of which nothing is shown; it has six tries.
    assert any(is_streamed_by_the_model() for _ in range(6))


def test_the_model_is_not_loaded_twice_for_one_context(url: str) -> None:
    # Given a model in memory; expect the next call to find it there with the context that was asked for
    model = OllamaModel(settings(url))
    ask(model)
    loads: list[str] = []
    model._loader.wait = lambda on_wait: loads.append("load")  # type: ignore[method-assign]
    ask(model)
    assert loads == []


def test_the_same_prompt_again_is_not_taken_for_a_cut_one(url: str) -> None:
    # Given a prompt that the server has cached (it then reads next to nothing)
    model = OllamaModel(settings(url))
    first = ask(model)
    # Expect that the count of prompt tokens still is the whole prompt's
    assert ask(model).prompt_tokens == first.prompt_tokens


def test_an_answer_is_bounded_and_says_that_it_was_cut(url: str) -> None:
    told: list[float] = []
    answer = ask(OllamaModel(settings(url)), max_tokens=5, on_answer=lambda text, share: told.append(share))
    assert answer.was_cut
    assert len(answer.text) < 60
    assert told[-1] == 1


def test_a_schema_is_obeyed(url: str) -> None:
    schema = {"type": "object", "properties": {"winner": {"enum": ["Ada", "dragon"]}}, "required": ["winner"]}
    found = json.loads(ask(OllamaModel(settings(url)), schema=schema).text)
    assert found["winner"] in ("Ada", "dragon")


def test_a_missing_model_is_named_with_the_command_that_fetches_it(url: str) -> None:
    model = OllamaModel(settings(url, mistral_model="not-there"))
    assert model.health().condition is Condition.MODEL_MISSING
    with pytest.raises(ModelMissing, match="ollama pull not-there"):
        ask(model)


def test_a_prompt_past_the_context_is_refused_by_the_server(url: str) -> None:
    # Given fewer words than the context has tokens, but more tokens than it has
    long: list[Message] = [{"role": "user", "content": "antidisestablishmentarianism " * 800}]
    with pytest.raises(TranscriptTooLong, match="MISTRAL_NUM_CTX"):
        OllamaModel(settings(url)).chat(long, max_tokens=MAX_TOKENS)


def test_two_calls_at_once_are_both_answered(url: str) -> None:
    model = OllamaModel(settings(url, summarizer_concurrency=2))
    together = threading.Barrier(2)

    def call(_: int) -> ChatResponse:
        together.wait(PATIENCE_S)
        return ask(model)

    with ThreadPoolExecutor(2) as pool:
        assert all(answer.text for answer in pool.map(call, range(2)))


def test_hanging_up_frees_the_server(url: str) -> None:
    class Enough(Exception):
        pass

    def stop_at_the_first_word(text: str, share: float) -> None:
        if text:
            raise Enough

    model = OllamaModel(settings(url))
    # When a call is left at its first word
    with pytest.raises(Enough):
        ask(model, on_answer=stop_at_the_first_word)
    # Expect the next one to be answered
    assert ask(model).text


def test_a_server_that_is_killed_in_the_middle_is_said_to_be_away(tmp_path: Path) -> None:
    waits: list[float] = []
    with ollama_server.started(tmp_path / "ollama.log") as (url, process):

        def kill_at_the_first_word(text: str, share: float) -> None:
            if text and process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

        # Given a server that writes; when it is killed, expect all tries and then the sentence
        model = OllamaModel(settings(url), wait=waits.append)
        with pytest.raises(SummarizerUnavailable, match="ollama serve"):
            ask(model, on_answer=kill_at_the_first_word)
        assert model.health().condition is Condition.UNREACHABLE
    assert sum(waits) == pytest.approx(12)


def test_its_v1_routes_answer_too(url: str) -> None:
    # Given the same server by the routes that other servers have
    model = OpenAICompatibleModel(settings(url, openai_base_url=f"{url}/v1", openai_model="mistral"))
    assert model.health().condition is Condition.WARM
    told: list[str] = []
    answer = ask(model, on_answer=lambda text, share: told.append(text))
    assert answer.text == told[-1]
    assert answer.prompt_tokens is not None
    assert answer.prompt_tokens > 65
    assert ask(model, max_tokens=5).was_cut
