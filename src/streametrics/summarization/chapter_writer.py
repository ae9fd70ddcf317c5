"""Asks a model for a chapter's title and summary. What it says counts only with lines that were in its prompt."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from streametrics.errors import SummaryUnusable
from streametrics.llm.base import ChatModel
from streametrics.summarization import language_check, output_validation, prompts
from streametrics.summarization.base import SummaryRequest
from streametrics.summarization.prompting import PromptRunner

#: Of the answer, in English.
CHAPTER_TOKENS = 260
#: Characters of a title, and of one sentence.
LONGEST_TITLE, LONGEST_SENTENCE = 80, 400

_LINE = re.compile(r"\d{1,4}")


@dataclass(frozen=True, slots=True)
class WrittenSentence:
    """A sentence of a model's, and the lines of the prompt that it names for it, counted from 0."""

    text: str
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class WrittenChapter:
    """What a model wrote of a chapter; title: empty where it cannot be used."""

    title: str
    sentences: tuple[WrittenSentence, ...]
    source: str
    model: str


class ChapterWriter:
    """Writes chapters with one chat model; thread-safe, as the model is."""

    def __init__(self, model: ChatModel) -> None:
        self._model = model
        self._runner = PromptRunner(model)

    def write(self, lines: Sequence[str], language: str, *, check: Callable[[], None]) -> WrittenChapter:
        """Write of these lines, in this language. check: called several times a second; it may raise to stop.

        Raises SummaryUnusable, and what `PromptRunner.ask` raises.
        """
        numbered = "\n".join(f"{at}: {prompts.one_line(line)}" for at, line in enumerate(lines, start=1))
        request = SummaryRequest(numbered, language)
        messages = prompts.chapter(request, numbered)
        answer = self._runner.ask(
            messages,
            max_tokens=self._runner.answer_tokens(CHAPTER_TOKENS, request),
            schema=prompts.CHAPTER_SCHEMA,
            on_answer=lambda _text, _share: check(),
        )
        instruction = prompts.instruction(messages)
        found = output_validation.json_object(answer.text)
        if found is None or not isinstance(found.get("sentences"), list):
            raise SummaryUnusable("The model wrote no JSON of a chapter.")
        sentences = [
            sentence
            for each in found["sentences"]
            if (sentence := _sentence(each, len(lines))) is not None
            and output_validation.defect(sentence.text, instruction, None) is None
        ]
        told = " ".join(sentence.text for sentence in sentences)
        if not sentences or language_check.is_other(told, language):
            raise SummaryUnusable("The model named no lines for what it wrote of a chapter.")
        return WrittenChapter(_title(found, instruction), tuple(sentences), self._model.source, self._model.model)


def _sentence(found: object, line_count: int) -> WrittenSentence | None:
    """Read a sentence; None where it has none of the prompt's lines, or nothing to say."""
    if not isinstance(found, dict) or not isinstance(found.get("text"), str):
        return None
    named = [int(number) - 1 for number in _LINE.findall(str(found.get("lines", "")))]
    lines = sorted({line for line in named if 0 <= line < line_count})
    text = output_validation.prose(found["text"])
    if not lines or len(lines) != len(set(named)) or not 0 < len(text) <= LONGEST_SENTENCE:
        return None
    return WrittenSentence(text, tuple(lines))


def _title(found: dict[str, Any], instruction: str) -> str:
    given = found.get("title")
    title = prompts.one_line(given).strip(" \"'.#*") if isinstance(given, str) else ""
    is_usable = 0 < len(title) <= LONGEST_TITLE and output_validation.defect(title, instruction, None) is None
    return title if is_usable else ""
