"""The adapter against a real Ollama with a very small model: the wire, not the prose."""

from collections.abc import Iterator
from typing import Any

import pytest

from streametrics.errors import ModelMissing, TranscriptTooLong
from streametrics.settings import Settings
from streametrics.summarizer import SummaryRequest
from streametrics.summarizers import create
from streametrics.summarizers.ollama import OllamaSummarizer
from tests import ollama_server

pytestmark = pytest.mark.ollama

TRANSCRIPT = (
    "Welcome back everybody. Today we fight the ice dragon with the new sword that chat chose yesterday. "
    "The dragon burned the bridge, so we have to swim. We lost two lives in the water. "
    "Now the dragon is down, chat, the dragon is down! Thank you for the sword."
)
REQUEST = SummaryRequest(TRANSCRIPT, "en", streamer="Ada", game="Dragon Quest", title="Ice dragon tonight")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ollama_server.running(tmp_path_factory.mktemp("ollama") / "ollama.log") as url:
        yield url


def settings(url: str, **more: Any) -> Settings:
    # The limit is generous: two cores may be busy with everything else that is tested.
    return Settings(_env_file=None, ollama_url=url, mistral_num_ctx=2048, mistral_timeout=240, **more)


def test_the_summary_is_the_models_and_streams(url: str) -> None:
    # Given a server that may not have loaded its model yet
    told: list[tuple[str, float]] = []
    # When a chunk is summarised through the chain that the service uses
    summary = create(settings(url)).summarize(REQUEST, on_text=lambda text, share: told.append((text, share)))
    # Expect the model's words, streamed as they grew, and no warning
    assert (summary.source, summary.model, summary.warnings) == ("ollama", "mistral", ())
    texts = [text for text, _ in told if text]
    shares = [share for _, share in told]
    assert len(set(texts)) > 3
    assert shares == sorted(shares)
    assert 0 < shares[-1] <= 1
    assert summary.text.split()[0] == texts[-1].split()[0]


def test_the_same_prompt_again_is_not_taken_for_a_cut_one(url: str) -> None:
    # Given a prompt that the server has cached (it then reads next to nothing)
    summarizer = OllamaSummarizer(settings(url))
    summarizer.summarize(REQUEST)
    # Expect that the count of prompt tokens still is the whole prompt's
    assert summarizer.summarize(REQUEST).source == "ollama"


def test_a_missing_model_is_named_with_the_command_that_fetches_it(url: str) -> None:
    summarizer = OllamaSummarizer(settings(url, mistral_model="not-there"))
    assert not summarizer.health().has_model
    with pytest.raises(ModelMissing, match="ollama pull not-there"):
        summarizer.summarize(REQUEST)


def test_a_transcript_past_the_context_is_refused_by_the_server(url: str) -> None:
    # Given fewer words than the context has tokens, but more tokens than it has
    long = SummaryRequest("antidisestablishmentarianism " * 800, "en")
    with pytest.raises(TranscriptTooLong, match="MISTRAL_NUM_CTX"):
        OllamaSummarizer(settings(url)).summarize(long)


def test_hanging_up_frees_the_server(url: str) -> None:
    class Enough(Exception):
        pass

    def stop_at_the_first_word(text: str, share: float) -> None:
        if text:
            raise Enough

    summarizer = OllamaSummarizer(settings(url))
    # When a call is left at its first word
    with pytest.raises(Enough):
        summarizer.summarize(REQUEST, on_text=stop_at_the_first_word)
    # Expect the next one to be answered
    assert summarizer.summarize(REQUEST).text


def test_health_names_what_is_there(url: str) -> None:
    health = OllamaSummarizer(settings(url + "/")).health()
    assert (health.reachable, health.has_model) == (True, True)
