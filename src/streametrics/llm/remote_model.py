"""Implements what the chat models of all servers share: address, slots, retries and the outcome of recent calls."""

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from streametrics.errors import SummarizerError, SummaryUnusable, TranscriptTooLong
from streametrics.llm import concurrency, http, parsing
from streametrics.llm.base import ChatResponse, Condition, Message, ModelHealth
from streametrics.llm.call_history import CallHistory
from streametrics.llm.progress import AnswerProgress
from streametrics.llm.retries import Retrier
from streametrics.net import urls
from streametrics.settings import Settings

#: How long a look at a server's lists takes at most, in seconds.
HEALTH_TIMEOUT_S = 1.0

#: Models that think before they answer; the templates of some begin the thoughts, so that no mark of that is seen.
_THINKERS = re.compile(r"(?:^|[^a-z0-9])(?:r1|qwq|o1)(?:[^a-z0-9]|$)|think|reason|magistral", re.IGNORECASE)


@dataclass(frozen=True)
class ModelEndpoint:
    """One model of one server. hints: messages for when nothing answers at `url`. key: sent as a bearer token."""

    model: str
    context_tokens: int
    url: str
    hints: http.ErrorHints
    key: str = field(default="", repr=False)


class Timing(TypedDict, total=False):
    """Replaces time in tests. Between tries `wait` is called in steps of at most `http.POLL_INTERVAL_S` seconds."""

    wait: Callable[[float], None]
    clock: Callable[[], float]


class RemoteModelBase(ABC):
    """Asks one model of one server; thread-safe. wait, clock: see `Timing`."""

    def __init__(
        self,
        settings: Settings,
        endpoint: ModelEndpoint,
        *,
        wait: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.model = endpoint.model
        self.context_tokens = endpoint.context_tokens
        self._settings = settings
        self._url = endpoint.url
        self._hints = endpoint.hints
        self._key = endpoint.key
        # A proxy that HTTP_PROXY names knows nothing of our loopback.
        self._trust_env = not urls.is_loopback(endpoint.url)
        self._limiter = concurrency.limiter_for(endpoint.url, settings.summarizer_concurrency)
        self._wait = wait
        self._clock = clock
        self._history = CallHistory(settings.breaker_failures)
        #: Whether answers are taken to begin with thoughts that no mark shows; as the last answer was.
        self._thinks_first = _THINKERS.search(endpoint.model) is not None

    def health(self) -> ModelHealth:
        """See `ChatModel`."""
        shown = urls.without_credentials(self._url)
        try:
            return self._look(shown)
        except SummarizerError:
            return ModelHealth(Condition.UNREACHABLE, self._no_answer(shown))

    @abstractmethod
    def _look(self, shown: str) -> ModelHealth:
        """Read the server's lists; raises SummarizerError where nothing answers. shown: its address, for sentences."""

    @abstractmethod
    def _no_answer(self, shown: str) -> str:
        """Say that nothing answers, and what to do about it."""

    @abstractmethod
    def _too_long(self) -> TranscriptTooLong:
        """Make the error of a prompt that is too long, with the setting to correct."""

    def _refuse_what_cannot_fit(self, messages: Sequence[Message]) -> None:
        """Refuse a prompt that cannot fit before megabytes of it are sent. Raises TranscriptTooLong."""
        if parsing.words_in(messages) > self.context_tokens:
            raise self._too_long()

    def _retrier(self, progress: AnswerProgress) -> Retrier:
        return Retrier(self._settings, progress, wait=self._wait, clock=self._clock)

    def _request(
        self, path: str, body: dict[str, Any] | None = None, longest_bytes: int = http.MAX_RESPONSE_BYTES
    ) -> http.HttpRequest:
        return http.HttpRequest(self._url + path, self._hints, body, self._trust_env, self._key, longest_bytes)

    def _fetch(
        self, request: http.HttpRequest, limit_s: float, on_wait: Callable[[], None] | None = None
    ) -> http.JsonResponse:
        """Return a short answer; on_wait: None where nobody waits for it."""
        return http.fetch_json(request, limit_s=limit_s, clock=self._clock, on_wait=on_wait or (lambda: None))

    def _shown(self, text: str) -> str:
        """Return what can be shown of an answer that grows: no thoughts, also where no mark has begun them."""
        answer = parsing.answer_of(text, is_whole=False)
        if self._thinks_first and not answer.began_in_thought and text.lstrip().startswith(answer.text):
            return ""
        return answer.text

    def _response(self, text: str, was_cut: bool, prompt_tokens: int | None) -> ChatResponse:
        """Make the response, without what the model thought. Raises SummaryUnusable where nothing is left."""
        answer = parsing.answer_of(text)
        self._thinks_first = answer.began_in_thought
        if not answer.text:
            raise SummaryUnusable("The model's answer was empty.")
        return ChatResponse(answer.text, was_cut, prompt_tokens)
