"""One model asked with care: never with a prompt that is too long, and once more where its answer cannot be used."""

from collections.abc import Sequence
from typing import Any

from streametrics.errors import SummaryUnusable, TranscriptTooLong
from streametrics.llm.base import Answer, ChatModel, Message, OnAnswer
from streametrics.summarization import output_validation, prompts, token_budget
from streametrics.summarization.base import SummaryRequest
from streametrics.summarization.prompts import Defect
from streametrics.summarization.token_budget import Budget, TokenEstimator
from streametrics.text import languages


class Refused(TranscriptTooLong):
    """The model server found a prompt too long; the estimates have learned from it, so smaller pieces may fit."""


class Asker:
    """Thread-safe, as the model is; the estimates are shared by all calls."""

    def __init__(self, model: ChatModel) -> None:
        self.model = model
        self.estimator = TokenEstimator()
        self.budget = Budget(model.context_tokens)

    def fits(self, messages: Sequence[Message], answer_tokens: int) -> bool:
        """Whether the prompt and its answer are within the context."""
        return self.estimator.tokens(token_budget.content(messages)) <= self.budget.prompt_tokens(answer_tokens)

    def room(self, without_text: list[Message], request: SummaryRequest, answer_tokens: int) -> float:
        """What a text in these messages may be priced at. Raises TranscriptTooLong where there is none.

        A second, firmer try is longer, so that its words are counted too.
        """
        firmest = max((prompts.again(without_text, request, defect) for defect in Defect), key=_length)
        return self.budget.room(token_budget.content(firmest), answer_tokens, self.estimator.steady_factor())

    def answer_tokens(self, english_tokens: int, request: SummaryRequest) -> int:
        """Tokens for an answer in the request's language."""
        return self.budget.answer_tokens(english_tokens, token_budget.main_script(languages.own_name(request.language)))

    def ask(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        on_answer: OnAnswer,
        schema: dict[str, Any] | None = None,
        urgent: bool = False,
    ) -> Answer:
        """As `ChatModel.chat`; raises Refused where the server says that the prompt is too long."""
        if not self.fits(messages, max_tokens):
            raise TranscriptTooLong
        text = token_budget.content(messages)
        stopped_by: BaseException | None = None

        def watched(so_far: str, share: float) -> None:
            nonlocal stopped_by
            try:
                on_answer(so_far, share)
            except BaseException as error:
                stopped_by = error  # the caller wants to leave: no answer of the server's
                raise

        try:
            answer = self.model.chat(messages, max_tokens=max_tokens, schema=schema, on_answer=watched, urgent=urgent)
        except TranscriptTooLong as error:
            if error is stopped_by:
                raise
            if not self.estimator.refused(text, self.budget.context_tokens - max_tokens):
                raise
            raise Refused(str(error)) from error
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
        """Sentences in one line, and what is still wrong with them after a second try. Raises SummaryUnusable."""
        tag = None if any_language else request.language
        instruction = prompts.instruction(messages)
        asked, text, defect = messages, "", None
        for _ in range(2):
            answer = self.ask(asked, max_tokens=max_tokens, on_answer=on_answer, urgent=urgent)
            text = output_validation.without_our_words(
                output_validation.prose(answer.text, was_cut=answer.was_cut), instruction
            )
            defect = output_validation.defect(text, instruction, tag)
            if defect is None:
                break
            asked = prompts.again(messages, request, defect)
            if not self.fits(asked, max_tokens):
                break
        if defect is Defect.UNUSABLE:
            raise SummaryUnusable("The model only repeated what it was told.")
        return text, defect


def _length(messages: Sequence[Message]) -> int:
    return sum(len(message["content"]) for message in messages)
