"""A model for tests: the same words for the same messages, its context as narrow as a test wants it."""

import json
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from streametrics.errors import SummarizerError, SummaryUnusable, TranscriptTooLong
from streametrics.llm.base import Answer, Condition, Message, ModelHealth, OnAnswer

#: What the model writes: messages, `max_tokens` and the schema (None for plain text) in, its text out.
Respond = Callable[[Sequence[Message], int, dict[str, Any] | None], str]

HEALTHY = ModelHealth(Condition.WARM, "The fake model is always there.")

#: Words of the last message that the answer repeats where no `respond` is given.
_REPEATED_WORDS = 12
_STEPS = 10


@dataclass(frozen=True, slots=True)
class Asked:
    """One call that reached the model."""

    messages: tuple[Message, ...]
    max_tokens: int
    schema: dict[str, Any] | None
    prompt_tokens: int
    urgent: bool = False


def count_words(text: str) -> int:
    """One token a word, as no real model counts."""
    return len(text.split())


def repeat(messages: Sequence[Message], max_tokens: int, schema: dict[str, Any] | None) -> str:
    """The last message's first words; JSON that obeys the schema where there is one."""
    words = messages[-1]["content"].split()
    text = f"Answer to {len(words)} words: {' '.join(words[:_REPEATED_WORDS])}."
    return text if schema is None else as_json(schema, text)


def copying(pattern: str | re.Pattern[str]) -> Respond:
    """A model that writes down whatever in its messages matches, each once, in their order; like a good note-taker."""
    wanted = re.compile(pattern)

    def respond(messages: Sequence[Message], max_tokens: int, schema: dict[str, Any] | None) -> str:
        found = (match.group() for message in messages for match in wanted.finditer(message["content"]))
        text = " ".join(dict.fromkeys(found)) or "Nothing was marked."
        return text if schema is None else as_json(schema, text)

    return respond


def as_json(schema: dict[str, Any], text: str) -> str:
    """The smallest JSON that obeys a plain schema (types, properties, enum, minItems), `text` being its strings."""
    return json.dumps(_filled(schema, text), ensure_ascii=False)


class FakeModel:
    """Answers by `respond`, cut after `max_tokens`; refuses prompts of more than `context_tokens`.

    respond: by default `repeat`. copies: short for `respond=copying(copies)`. count: how this model counts the tokens
    of a text. failures: what the calls raise, one after another, and nothing once they are used up; None among them
    lets a call pass. tells_tokens: whether answers say how long the prompt was. report: what `health` answers.
    """

    source = "fake"

    def __init__(
        self,
        respond: Respond = repeat,
        *,
        copies: str | re.Pattern[str] | None = None,
        context_tokens: int = 8192,
        count: Callable[[str], int] = count_words,
        failures: Iterable[SummarizerError | None] = (),
        tells_tokens: bool = True,
        report: ModelHealth = HEALTHY,
        model: str = "fake",
    ) -> None:
        self.model = model
        self.context_tokens = context_tokens
        #: Every call that was not refused as too long, in order.
        self.calls: list[Asked] = []
        #: How often `warm_up` was called.
        self.warmed_up = 0
        self._respond = respond if copies is None else copying(copies)
        self._count = count
        self._failures = iter(failures)
        self._tells_tokens = tells_tokens
        self._report = report
        self._lock = threading.Lock()

    def chat(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        schema: dict[str, Any] | None = None,
        on_answer: OnAnswer | None = None,
        urgent: bool = False,
    ) -> Answer:
        prompt_tokens = sum(self._count(message["content"]) for message in messages)
        if prompt_tokens > self.context_tokens:
            raise TranscriptTooLong
        with self._lock:
            self.calls.append(Asked(tuple(messages), max_tokens, schema, prompt_tokens, urgent))
            failure = next(self._failures, None)
        if failure is not None:
            raise failure
        whole = self._respond(messages, max_tokens, schema).strip()
        text = self._cut(whole, max_tokens)
        if not text:
            raise SummaryUnusable("The model's answer was empty.")
        if on_answer is not None:
            _tell(text, min(1.0, self._count(text) / max_tokens), on_answer)
        return Answer(text, text != whole, prompt_tokens if self._tells_tokens else None)

    def warm_up(self) -> None:
        self.warmed_up += 1

    def health(self) -> ModelHealth:
        return self._report

    def _cut(self, text: str, max_tokens: int) -> str:
        """The longest beginning that has at most `max_tokens`."""
        if self._count(text) <= max_tokens:
            return text
        fits, too_long = 0, len(text)
        while too_long - fits > 1:
            middle = (fits + too_long) // 2
            if self._count(text[:middle]) <= max_tokens:
                fits = middle
            else:
                too_long = middle
        return text[:fits].strip()


def _tell(text: str, share: float, on_answer: OnAnswer) -> None:
    for step in range(1, _STEPS + 1):
        on_answer(text[: len(text) * step // _STEPS], share * step / _STEPS)


def _filled(schema: dict[str, Any], text: str) -> object:
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            return {name: _filled(inner, text) for name, inner in schema.get("properties", {}).items()}
        case "array":
            return [_filled(schema.get("items", {}), text)] * int(schema.get("minItems", 0))
        case "integer" | "number":
            return schema.get("minimum", 0)
        case "boolean":
            return False
        case _:
            return text
