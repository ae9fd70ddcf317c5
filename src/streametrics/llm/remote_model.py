"""What the chat models of all servers have in common: one server's address, slots, retries and recent calls."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

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


class RemoteModelBase(ABC):
    """Of one model of one server, asked at `url`; thread-safe. hints: what is said where nothing answers there.

    key: sent as a bearer token. wait, clock: for tests. Between tries `wait` is called in steps of at most
    `http.POLL_INTERVAL_S` seconds.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        model: str,
        context_tokens: int,
        url: str,
        hints: http.ErrorHints,
        key: str = "",
        wait: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        self.model = model
        self.context_tokens = context_tokens
        self._settings = settings
        self._url = url
        self._hints = hints
        self._key = key
        # A proxy that HTTP_PROXY names knows nothing of our loopback.
        self._trust_env = not urls.is_loopback(url)
        self._limiter = concurrency.limiter_for(url, settings.summarizer_concurrency)
        self._wait = wait
        self._clock = clock
        self._history = CallHistory(settings.breaker_failures)

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
        """What to say, and to do, where nothing answers."""

    @abstractmethod
    def _too_long(self) -> TranscriptTooLong:
        """The error that says which setting to correct."""

    def _refuse_what_cannot_fit(self, messages: Sequence[Message]) -> None:
        """No megabytes are sent to learn it. Raises TranscriptTooLong."""
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

    @staticmethod
    def _response(text: str, was_cut: bool, prompt_tokens: int | None) -> ChatResponse:
        """What a model wrote, without what it thought. Raises SummaryUnusable where nothing is left."""
        answer = parsing.answer_of(text)
        if not answer:
            raise SummaryUnusable("The model's answer was empty.")
        return ChatResponse(answer, was_cut, prompt_tokens)
