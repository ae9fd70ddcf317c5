"""What the models of all servers have in common, on a server that is only an address."""

from typing import Any

import pytest

from streametrics.errors import SummarizerUnavailable, SummaryUnusable, TranscriptTooLong
from streametrics.llm.base import Condition, Message, ModelHealth
from streametrics.llm.http import ErrorHints
from streametrics.llm.remote_model import ModelEndpoint, RemoteModelBase
from streametrics.settings import Settings


class Model(RemoteModelBase):
    """A model with a context of ten tokens, whose server answers a look, or not."""

    def __init__(self, url: str = "http://ada:secret@models:8000", *, key: str = "", answers: bool = True) -> None:
        hints = ErrorHints(unavailable="Start it.", no_address="That is no address.")
        given = Settings(_env_file=None)  # type: ignore[call-arg]
        super().__init__(given, ModelEndpoint("m", 10, url, hints, key), wait=lambda _: None)
        self._answers = answers

    def _look(self, shown: str) -> ModelHealth:
        if not self._answers:
            raise SummarizerUnavailable
        return ModelHealth(Condition.WARM, f"{shown} answers.")

    def _no_answer(self, shown: str) -> str:
        return f"{shown} does not answer."

    def _too_long(self) -> TranscriptTooLong:
        return TranscriptTooLong("Raise the limit.")


def test_a_look_is_told_with_an_address_that_may_be_shown() -> None:
    assert Model().health() == ModelHealth(Condition.WARM, "http://models:8000 answers.")


def test_a_server_that_does_not_answer_a_look_is_unreachable() -> None:
    assert Model(answers=False).health() == ModelHealth(Condition.UNREACHABLE, "http://models:8000 does not answer.")


@pytest.mark.parametrize(("url", "by_proxy"), [("http://models", True), ("http://localhost:11434", False)])
def test_a_server_of_this_machine_is_asked_without_a_proxy(url: str, by_proxy: bool) -> None:
    assert Model(url)._request("/chat").trust_env is by_proxy


def test_a_request_carries_the_key_and_never_shows_it() -> None:
    body: dict[str, Any] = {"model": "m"}
    request = Model("http://models/v1", key="secret")._request("/chat", body, 7)
    assert (request.url, request.body, request.key) == ("http://models/v1/chat", body, "secret")
    assert (request.hints.unavailable, request.max_response_bytes) == ("Start it.", 7)
    assert "secret" not in repr(request)


def test_a_prompt_with_more_words_than_the_context_has_tokens_is_not_sent() -> None:
    model = Model()
    model._refuse_what_cannot_fit([Message(role="user", content="word " * 10)])
    with pytest.raises(TranscriptTooLong, match="Raise the limit"):
        model._refuse_what_cannot_fit([Message(role="user", content="word " * 11)])


def test_an_answer_without_text_is_of_no_use() -> None:
    assert Model()._response(" Ada beats. ", True, 3).text == "Ada beats."
    with pytest.raises(SummaryUnusable, match="empty"):
        Model()._response(" \n", False, None)


def test_thoughts_that_no_mark_begins_are_not_shown_from_the_second_answer_on() -> None:
    model = Model()
    # Given an answer whose thoughts the template begins, of a model whose name tells nothing of it
    assert model._response("Who speaks?</think>Ada wins.", False, None).text == "Ada wins."
    # Expect the next one's to stay hidden, and its answer to be shown
    assert model._shown("Who is that") == ""
    assert model._shown("Who is that?</think>Ada lo") == "Ada lo"
    assert model._shown("<think>Who?</think>Ada lo") == "Ada lo"
    # And an answer without thoughts to end that
    assert model._response("Ada wins.", False, None).text == "Ada wins."
    assert model._shown("Ada lo") == "Ada lo"
