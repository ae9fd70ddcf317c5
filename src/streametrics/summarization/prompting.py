"""Runs prompts on a chat model: never one that is too long, and again where the answer cannot be used."""

from collections.abc import Sequence
from typing import Any

from streametrics.errors import SummaryUnusable, TranscriptTooLong
from streametrics.llm.base import ChatModel, ChatResponse, Message, OnAnswer
from streametrics.llm.progress import AnswerProgress
from streametrics.summarization import output_validation, prompts, token_budget
from streametrics.summarization.base import SummaryRequest
from streametrics.summarization.prompts import Defect
from streametrics.summarization.token_budget import TokenBudget, TokenEstimator
from streametrics.text import languages


class PromptTooLong(TranscriptTooLong):
    """The model server found a prompt too long; the estimates have learned from it, so smaller pieces may fit."""


class PromptRunner:
    """Runs prompts on one model. Thread-safe, as the model is; all calls share the token estimates."""

    def __init__(self, model: ChatModel) -> None:
        self.model = model
        self.estimator = TokenEstimator()
        self.budget = TokenBudget(model.context_tokens)

    def fits(self, messages: Sequence[Message], answer_tokens: int) -> bool:
        """Tell whether a prompt and its answer fit into the context."""
        return self.estimator.tokens(token_budget.content(messages)) <= self.budget.prompt_tokens(answer_tokens)

    def room(self, without_text: list[Message], request: SummaryRequest, answer_tokens: int) -> float:
        """Return the price that a text in these messages may have. Raises TranscriptTooLong where there is no room.

        A second, firmer try is longer, so that its words are counted too.
        """
        firmest = max((prompts.again(without_text, request, defect) for defect in Defect), key=_length)
        return self.budget.room(token_budget.content(firmest), answer_tokens, self.estimator.steady_factor())

    def answer_tokens(self, english_tokens: int, request: SummaryRequest) -> int:
        """Convert an answer's tokens in English to those in the request's language."""
        return self.budget.answer_tokens(english_tokens, token_budget.main_script(languages.own_name(request.language)))

    def ask(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        on_answer: OnAnswer,
        schema: dict[str, Any] | None = None,
        urgent: bool = False,
    ) -> ChatResponse:
        """Run `ChatModel.chat`; raises PromptTooLong where the server says that the prompt is too long."""
        if not self.fits(messages, max_tokens):
            raise TranscriptTooLong
        text = token_budget.content(messages)
        progress = AnswerProgress(on_answer)
        try:
            answer = self.model.chat(
                messages, max_tokens=max_tokens, schema=schema, on_answer=progress.grow, urgent=urgent
            )
        except TranscriptTooLong as error:
            if error is progress.stopped_by:  # the caller wants to leave: no answer of the server's
                raise
            if not self.estimator.refused(text, self.budget.context_tokens - max_tokens):
                raise
            raise PromptTooLong(str(error)) from error
        if answer.prompt_tokens is not None:
            self.estimator.counted(text, answer.prompt_tokens)
        return answer

    def prose(
        self,
        messages: list[Message],
        request: SummaryRequest,
        *,
        max_tokens: int,
        on_answer: OnAnswer,
        any_language: bool = False,
        urgent: bool = False,
    ) -> tuple[str, Defect | None]:
        """Ask for prose; returns it in one line, and what is still wrong after a second try. Raises SummaryUnusable."""
        tag = None if any_language else request.language
        given = prompts.given(messages)
        asked, text, defect = messages, "", None
        for _ in range(2):
            instruction = prompts.instruction(asked)
            answer = self.ask(asked, max_tokens=max_tokens, on_answer=on_answer, urgent=urgent)
            text = output_validation.without_our_words(
                output_validation.prose(answer.text, was_cut=answer.was_cut, given=given), instruction
            )
            defect = output_validation.defect(text, instruction, tag)
            if defect is None:
                break
            asked = prompts.again(messages, request, defect)
            if not self.fits(asked, max_tokens):
                break
        if defect is Defect.UNUSABLE:
            raise SummaryUnusable(output_validation.NO_SUMMARY)
        return text, defect


def _length(messages: Sequence[Message]) -> int:
    return sum(len(message["content"]) for message in messages)
