"""The contract of a model on a server: messages in, text out. What to ask it stands in `prompts`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypedDict


class Message(TypedDict):
    """One turn of a chat, as model servers take it."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model wrote.

    text: as it came, stripped. was_cut: it ended at `max_tokens` and not by itself. prompt_tokens: how many tokens
    the server counted in the messages, None where it does not say.
    """

    text: str
    was_cut: bool = False
    prompt_tokens: int | None = None


class Condition(StrEnum):
    """How far a model server is; each needs something else of a person."""

    UNREACHABLE = "unreachable"  #: nothing answers, or what answers is no such server
    MODEL_MISSING = "model_missing"  #: it answers and does not have the model
    COLD = "cold"  #: it has the model and must load it first
    WARMING = "warming"  #: it is loading the model
    WARM = "warm"  #: the model is in memory
    WORKING = "working"  #: and it answered the last call
    FAILING = "failing"  #: it answers, and its last calls failed


@dataclass(frozen=True, slots=True)
class ModelHealth:
    """A cheap look; `detail` is a sentence that says what to do where something is to be done."""

    condition: Condition
    detail: str

    @property
    def reachable(self) -> bool:
        return self.condition is not Condition.UNREACHABLE

    @property
    def has_model(self) -> bool:
        return self.condition not in (Condition.UNREACHABLE, Condition.MODEL_MISSING)

    @property
    def failing(self) -> bool:
        return self.condition is Condition.FAILING


#: Called as text grows with all of it so far, and a few times a second while nothing comes. May raise to stop the call.
OnAnswer = Callable[[str, float], None]


class ChatModel(Protocol):
    """Thread-safe: several calls may run at once, or wait for their turn."""

    #: `ollama`, `openai_compatible` or `fake`.
    source: str
    model: str
    #: Tokens of prompt and answer together.
    context_tokens: int

    def chat(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        schema: dict[str, Any] | None = None,
        on_answer: OnAnswer | None = None,
        urgent: bool = False,
    ) -> Answer:
        """Have the model answer, in at most `max_tokens` tokens, as JSON by `schema` where one is given.

        urgent: somebody waits for it, so its turn comes before that of calls that do not say so. Retries, waits for
        a turn and loading are inside. Raises TranscriptTooLong (the prompt does not fit), ModelMissing,
        SummarizerUnavailable, SummarizerTimeout, SummarizerBusy, SummarizerRefused, SummaryUnusable (nothing but white
        space); whatever `on_answer` raises passes through and ends the call at once.
        """
        ...

    def warm_up(self) -> None:
        """Begin to load a model that is not in memory, and return within about a second; never raises."""
        ...

    def health(self) -> ModelHealth:
        """Look cheaply (at most about a second); never raises."""
        ...
