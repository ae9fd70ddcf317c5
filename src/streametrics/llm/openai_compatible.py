"""Chat model on any server of `/v1/chat/completions`: vLLM, llama.cpp, LM Studio, a hosted service.

Limits and retries are those of MISTRAL_TIMEOUT and MISTRAL_MAX_RETRIES. These servers load their models themselves.
"""

from collections.abc import Sequence
from typing import Any, Unpack

from streametrics.errors import (
    ModelMissing,
    SummarizerBusy,
    SummarizerError,
    SummarizerRefused,
    TranscriptTooLong,
)
from streametrics.llm import http, parsing, timeouts
from streametrics.llm.base import ChatResponse, Condition, Message, ModelHealth, OnAnswer
from streametrics.llm.parsing import Completion
from streametrics.llm.progress import AnswerProgress
from streametrics.llm.remote_model import HEALTH_TIMEOUT_S, ModelEndpoint, RemoteModelBase, Timing
from streametrics.llm.retries import Retrier
from streametrics.llm.server_capabilities import ServerCapabilities
from streametrics.net import urls
from streametrics.settings import Settings

#: What follows an answer (counts of tokens, the end mark) is waited for no longer than this.
_TRAILER_TIMEOUT_S = 2.0
#: Models that a sentence names.
_NAMED_MODELS = 5

_HINTS = http.ErrorHints(
    unavailable="The model server does not answer: start it, or correct OPENAI_BASE_URL.",
    no_address="OPENAI_BASE_URL is not an address: it looks like http://localhost:8000/v1.",
)
_BAD_KEY = "The model server does not accept the key: check OPENAI_API_KEY."
_NO_SUCH_SERVER = "What answers at OPENAI_BASE_URL has no chat completions: check the address, it usually ends in /v1."
_NO_MODEL = "OPENAI_MODEL is empty: set it to the name of a model of this server."


class OpenAICompatibleModel(RemoteModelBase):
    """OPENAI_MODEL at OPENAI_BASE_URL; thread-safe. At most SUMMARIZER_CONCURRENCY calls run in this process."""

    source = "openai_compatible"

    def __init__(self, settings: Settings, **timing: Unpack[Timing]) -> None:
        url, key = _base(settings.openai_base_url), settings.openai_api_key.get_secret_value().strip()
        endpoint = ModelEndpoint(settings.openai_model, settings.openai_context_tokens, url, _HINTS, key)
        super().__init__(settings, endpoint, **timing)
        self._capabilities = ServerCapabilities()

    def chat(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        schema: dict[str, Any] | None = None,
        on_answer: OnAnswer | None = None,
        urgent: bool = False,
    ) -> ChatResponse:
        """See `ChatModel`. `on_answer` is also called with its last arguments, about four times a second, while nothing
        comes: while waiting for a slot, and between two tries. A server that refuses schemas answers
        without one."""
        if not self.model:
            raise ModelMissing(_NO_MODEL)
        if not _is_sendable(self._key):
            raise SummarizerRefused(_BAD_KEY)
        self._refuse_what_cannot_fit(messages)
        progress = AnswerProgress(on_answer)
        retrier = self._retrier(progress)

        def one_try() -> ChatResponse:
            with self._limiter.slot(progress.on_wait, urgent=urgent), retrier.timed() as limit_s:
                return self._ask(messages, max_tokens, schema, limit_s, retrier, progress)

        with self._history.record(progress):
            return retrier.run(one_try)

    def warm_up(self) -> None:
        """Do nothing: these servers load their models themselves."""

    def _no_answer(self, shown: str) -> str:
        return f"The model server does not answer at {shown}: start it, or correct OPENAI_BASE_URL."

    def _look(self, shown: str) -> ModelHealth:
        if not _is_sendable(self._key):
            return ModelHealth(Condition.FAILING, _BAD_KEY)
        answer = self._fetch(self._request("/models"), HEALTH_TIMEOUT_S)
        if answer.status in (401, 403):
            return ModelHealth(Condition.FAILING, _BAD_KEY)
        if not isinstance(answer.data, dict) or answer.status in (301, 302, 307, 308):
            return ModelHealth(Condition.UNREACHABLE, _NO_SUCH_SERVER)
        if not self.model:
            return ModelHealth(Condition.MODEL_MISSING, _NO_MODEL + _offer(answer.data))
        if answer.status == 200 and not _lists(answer.data, self.model):
            detail = f"The model server at {shown} does not have the model '{self.model}'.{_offer(answer.data)}"
            return ModelHealth(Condition.MODEL_MISSING, detail)
        if failed := self._history.failing():
            return ModelHealth(Condition.FAILING, f"The model server at {shown} answers, but {failed}: see its log.")
        if self._history.answered():
            return ModelHealth(Condition.WORKING, f"The model server at {shown} answered the last call.")
        if answer.status != 200:  # some servers have no such list
            return ModelHealth(Condition.WARM, f"A server answers at {shown}; it does not say which models it has.")
        return ModelHealth(Condition.WARM, f"The model server at {shown} answers and has the model '{self.model}'.")

    def _ask(
        self,
        messages: Sequence[Message],
        max_tokens: int,
        schema: dict[str, Any] | None,
        limit_s: float,
        retrier: Retrier,
        progress: AnswerProgress,
    ) -> ChatResponse:
        """Make one try; a server that refuses a field is asked again without it, within the same time."""
        limits = timeouts.for_chat(self._clock, limit_s, parsing.bytes_in(messages), self.context_tokens)
        while True:
            body = self._capabilities.body(self.model, messages, max_tokens, schema)
            call = self._request("/chat/completions", body, http.max_response_bytes(max_tokens))
            with http.open_response(call, limits, on_wait=progress.on_wait) as reply:
                if reply.status == 200:
                    return self._streamed(reply, messages, max_tokens, limits, progress)
                said = parsing.json_object(b"\n".join(reply.lines))
                status, retry_after_s = reply.status, reply.retry_after_s
            reason = _reason(said) if status in (400, 422) else ""
            if not parsing.says_too_long(reason) and self._capabilities.learn_from(reason, body):
                continue
            retrier.retry_after(retry_after_s)
            raise self._refusal(status, said)

    def _streamed(
        self,
        reply: http.HttpResponse,
        messages: Sequence[Message],
        max_tokens: int,
        limits: timeouts.Timeouts,
        progress: AnswerProgress,
    ) -> ChatResponse:
        if "html" in reply.content_type:
            raise SummarizerRefused(_NO_SUCH_SERVER)
        lines = reply.lines
        if "json" in reply.content_type:  # a server that does not stream: one object, on as many lines as it likes
            lines = iter([b"\n".join(reply.lines)])
        completion = Completion()
        try:
            for line in lines:
                parts = completion.parts
                completion.take(line)
                if completion.error is not None:
                    raise self._refusal(500, {"error": completion.error})
                if completion.parts > parts:
                    limits.token_received()
                    parsing.refuse_endless(completion.text, completion.parts, max_tokens)
                    progress.grow(self._shown(completion.text), completion.parts / max_tokens)
                if completion.is_over:
                    break
                if completion.finish_reason is not None:
                    limits.shorten(_TRAILER_TIMEOUT_S)
        except SummarizerError as error:
            # The answer is whole; what is missing is only what comes after it.
            is_whole = completion.finish_reason is not None and completion.error is None
            if not is_whole or error is progress.stopped_by:
                raise
        return self._finished(completion, messages)

    def _finished(self, completion: Completion, messages: Sequence[Message]) -> ChatResponse:
        if completion.finish_reason is None and not completion.is_over:
            raise SummarizerBusy("The model server broke off its answer.")
        if completion.finish_reason == "content_filter":
            raise SummarizerRefused("The model server's filter withheld the answer.")
        tokens = completion.prompt_tokens
        if tokens is not None and tokens < parsing.words_in(messages):
            raise TranscriptTooLong(
                "The model server dropped a part of the transcript: lower OPENAI_CONTEXT_TOKENS to what it really has."
            )
        return self._response(completion.text, completion.finish_reason == "length", tokens)

    def _refusal(self, status: int, said: dict[str, Any] | None) -> SummarizerError:
        """Translate an answer other than 200 (or an error in a stream, as 500) into an error of ours."""
        reason = _reason(said, self._key)
        if status == 413 or parsing.says_too_long(reason):
            return self._too_long()
        if status in (401, 403):
            return SummarizerRefused(_BAD_KEY)
        if "insufficient_quota" in reason:
            return SummarizerRefused("The model server says that the key's quota is used up: look into its account.")
        if "model_not_found" in reason or (status == 404 and "model" in reason.lower()):
            return ModelMissing(f"The model server does not have the model '{self.model}': correct OPENAI_MODEL.")
        if status in (408, 429) or status >= 500:
            return SummarizerBusy(f"The model server failed for the moment ({reason or f'HTTP {status}'}).")
        if status in (404, 405) or not reason:
            return SummarizerRefused(_NO_SUCH_SERVER)
        return SummarizerRefused(f"The model server refused the request ({reason}).")

    def _too_long(self) -> TranscriptTooLong:
        return TranscriptTooLong(f"{TranscriptTooLong.__doc__} Correct OPENAI_CONTEXT_TOKENS to what the server has.")


def _base(url: str) -> str:
    """Complete an address: a bare `http://host:port` means the usual `/v1` on it."""
    base = urls.with_scheme(url)
    return base if urls.parts(base).path else f"{base}/v1"


def _is_sendable(key: str) -> bool:
    """Tell whether a header can carry it; the error of one that cannot would print it."""
    return key.isascii() and (key.isprintable() or not key)


def _reason(said: dict[str, Any] | None, key: str = "") -> str:
    """Extract the reason and its code from a refusal, without the key; servers nest them differently."""
    if not said:
        return ""
    error = said.get("error") or said.get("detail") or said.get("message")
    if isinstance(error, dict):
        error = " ".join(str(error.get(name)) for name in ("message", "code", "type") if error.get(name))
    return parsing.one_line(error, key)


def _names(data: dict[str, Any]) -> list[str]:
    listed = data.get("data")
    if not isinstance(listed, list):
        return []
    return [parsing.one_line(each.get("id")) for each in listed if isinstance(each, dict)]


def _lists(data: dict[str, Any], model: str) -> bool:
    """Ollama's `/v1` lists `mistral:latest`, and has it as `mistral` too."""
    return bool({model, f"{model}:latest"} & set(_names(data)))


def _offer(data: dict[str, Any]) -> str:
    names = _names(data)
    return f" It has: {', '.join(names[:_NAMED_MODELS])}." if names else ""
