"""Chat model on Ollama's native API: only this one takes `num_ctx`, `truncate` and `shift` (the `/v1` routes do not).

A call waits for a slot, has the model loaded where it is not (with a time limit of its own), and streams the answer.
"""

from collections.abc import Callable, Sequence
from typing import Any, Unpack

from streametrics.errors import (
    ModelMissing,
    SummarizerBusy,
    SummarizerError,
    SummarizerRefused,
    SummarizerTimeout,
    TranscriptTooLong,
)
from streametrics.llm import http, parsing, timeouts
from streametrics.llm.base import ChatResponse, Condition, Message, ModelHealth, OnAnswer
from streametrics.llm.progress import AnswerProgress
from streametrics.llm.remote_model import HEALTH_TIMEOUT_S, ModelEndpoint, RemoteModelBase, Timing
from streametrics.llm.warmup import LoadTimeout, ModelLoader
from streametrics.net import urls
from streametrics.settings import Settings

#: How long the server keeps the model in memory after a call.
KEEP_ALIVE = "30m"
#: Loading 4 GB from a slow disk; giving up earlier makes the server throw the half-loaded model away.
LOAD_TIMEOUT_S = 300.0
#: `/api/ps` only reads a list; a server that needs longer for it is in trouble.
_LIST_TIMEOUT_S = 5.0
_TEMPERATURE = 0.2

_HINTS = http.ErrorHints(
    unavailable="The model server does not answer: start it with 'ollama serve'.",
    no_address="OLLAMA_URL is not an address: it looks like http://localhost:11434.",
)


class OllamaModel(RemoteModelBase):
    """MISTRAL_MODEL at OLLAMA_URL; thread-safe. At most SUMMARIZER_CONCURRENCY calls a server run in this process."""

    source = "ollama"

    def __init__(self, settings: Settings, *, load_timeout_s: float = LOAD_TIMEOUT_S, **timing: Unpack[Timing]) -> None:
        # Always the same context: another `num_ctx` makes the server load the model again.
        url = urls.with_scheme(settings.ollama_url)
        endpoint = ModelEndpoint(settings.mistral_model, settings.mistral_num_ctx, url, _HINTS)
        super().__init__(settings, endpoint, **timing)
        self._load_timeout_s = load_timeout_s
        self._loader = ModelLoader(self._load)

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
        comes: while waiting for a slot, while the model loads, and between two tries."""
        self._refuse_what_cannot_fit(messages)
        progress = AnswerProgress(on_answer)
        retrier = self._retrier(progress)
        body = self._chat_body(messages, max_tokens, schema)

        def one_try() -> ChatResponse:
            with self._limiter.slot(progress.on_wait, urgent=urgent):
                with retrier.timed() as limit_s:
                    is_loaded = self._is_loaded(min(limit_s, _LIST_TIMEOUT_S), progress)
                if not is_loaded:
                    self._loader.wait(progress.on_wait)
                with retrier.timed() as limit_s:
                    return self._streamed(messages, body, limit_s, progress)

        with self._history.record(progress):
            return retrier.run(one_try)

    def warm_up(self) -> None:
        if self.health().condition is Condition.COLD:
            self._loader.start()

    def _no_answer(self, shown: str) -> str:
        return f"Ollama does not answer at {shown}: start it with 'ollama serve'."

    def _look(self, shown: str) -> ModelHealth:
        ends_at = self._clock() + HEALTH_TIMEOUT_S
        listed = self._models("/api/tags", HEALTH_TIMEOUT_S)
        if listed is None:
            return ModelHealth(Condition.UNREACHABLE, f"What answers at {shown} is no Ollama: check OLLAMA_URL.")
        if _tagged(self.model) not in listed:
            return ModelHealth(Condition.MODEL_MISSING, _missing(self.model))
        if failed := self._history.failing():
            detail = f"Ollama answers at {shown}, but {failed}: see its log, or start it again."
            return ModelHealth(Condition.FAILING, detail)
        has_it = f"Ollama answers at {shown} and has the model '{self.model}'"
        try:
            loaded = self._models("/api/ps", max(0.1, ends_at - self._clock()))
        except SummarizerError:
            loaded = None  # the calls will show what is wrong with it
        if self._loader.is_running:
            return ModelHealth(Condition.WARMING, f"{has_it}, which is being loaded: summaries wait for it.")
        if loaded is not None and _tagged(self.model) not in loaded:
            detail = f"{has_it}; it is not in memory, so the first summary waits until it is loaded."
            return ModelHealth(Condition.COLD, detail)
        if self._history.answered():
            return ModelHealth(Condition.WORKING, f"{has_it}, and answered the last call.")
        return ModelHealth(Condition.WARM, f"{has_it}, in memory.")

    def _is_loaded(self, limit_s: float, progress: AnswerProgress) -> bool:
        """Tell whether the model is in memory with our context: a call's time does not run while the server loads."""
        loaded = self._models("/api/ps", limit_s, progress.on_wait)
        if loaded is None:
            return True  # a server that does not tell
        # Loaded by somebody with another context, it would be loaded again within the call's time. If it only looks
        # so (a model may have less context than is asked for), the answer to our load comes at once.
        return loaded.get(_tagged(self.model), 0) in (None, self.context_tokens)

    def _load(self) -> None:
        call = self._call("/api/generate", {"stream": False, "options": {"num_ctx": self.context_tokens}})
        try:
            answer = self._fetch(call, self._load_timeout_s)
        except SummarizerTimeout as error:
            raise LoadTimeout from error
        if answer.status != 200:
            raise self._refusal(answer.status, answer.data if isinstance(answer.data, dict) else None)

    def _streamed(
        self, messages: Sequence[Message], body: dict[str, Any], limit_s: float, progress: AnswerProgress
    ) -> ChatResponse:
        max_tokens: int = body["options"]["num_predict"]
        call = self._call("/api/chat", body, longest_bytes=http.max_response_bytes(max_tokens))
        limits = timeouts.for_chat(self._clock, limit_s, parsing.bytes_in(messages), self.context_tokens)
        with http.open_response(call, limits, on_wait=progress.on_wait) as reply:
            if reply.status != 200:
                raise self._refusal(reply.status, parsing.json_object(next(reply.lines, b"")))
            if "html" in reply.content_type:
                raise _no_ollama()
            text = ""
            for tokens, line in enumerate(reply.lines, start=1):
                part = parsing.answer_part(line)
                if part is None:
                    break
                if "error" in part:
                    raise self._refusal(500, part)
                limits.token_received()
                text += parsing.content(parsing.member(part, "message"))
                parsing.refuse_endless(text, tokens, max_tokens)
                progress.grow(self._shown(text), tokens / max_tokens)
                if part.get("done"):
                    return self._finished(text, part, messages)
        raise SummarizerBusy("The model server broke off its answer.")

    def _chat_body(self, messages: Sequence[Message], max_tokens: int, schema: dict[str, Any] | None) -> dict[str, Any]:
        body: dict[str, Any] = {
            "messages": list(messages),
            "stream": True,
            "think": False,
            "truncate": False,  # refuse what is too long; else its front half, the instruction, is dropped silently
            "shift": False,
            "options": {
                "num_ctx": self.context_tokens,
                "num_predict": max_tokens,  # without a bound some answers never end
                "temperature": _TEMPERATURE,
            },
        }
        return body if schema is None else body | {"format": schema}

    def _finished(self, text: str, last: dict[str, Any], messages: Sequence[Message]) -> ChatResponse:
        prompt_tokens = parsing.count(last.get("prompt_eval_count"))
        if prompt_tokens is not None and prompt_tokens < parsing.words_in(messages):
            raise TranscriptTooLong(
                "The model server dropped a part of the transcript: raise MISTRAL_NUM_CTX or update Ollama."
            )
        return self._response(text, last.get("done_reason") == "length", prompt_tokens)

    def _models(
        self, path: str, limit_s: float, on_wait: Callable[[], None] | None = None
    ) -> dict[str, int | None] | None:
        """Read the models of `/api/tags` or `/api/ps`, each with its tag and the context that it was loaded with (None
        where the server does not say); None where the answer is not Ollama's."""
        answer = self._fetch(self._request(path), limit_s, on_wait)
        models = answer.data.get("models") if answer.status == 200 and isinstance(answer.data, dict) else None
        if not isinstance(models, list):
            return None
        found = [model for model in models if isinstance(model, dict)]
        return {_tagged(str(model.get("name"))): model.get("context_length") or None for model in found}

    def _call(self, path: str, body: dict[str, Any], longest_bytes: int = http.MAX_RESPONSE_BYTES) -> http.HttpRequest:
        return self._request(path, {"model": self.model, "keep_alive": KEEP_ALIVE} | body, longest_bytes)

    def _refusal(self, status: int, data: dict[str, Any] | None) -> SummarizerError:
        """Translate an answer other than 200 (or an error line in a stream, as 500) into an error of ours."""
        said = data.get("error") if data else None
        reason = parsing.one_line(said)
        if parsing.says_too_long(reason):
            return self._too_long()
        if status == 404 and said:
            return ModelMissing(_missing(self.model))
        if status in (408, 429) or status >= 500:
            return SummarizerBusy(f"The model server failed for the moment ({reason or f'HTTP {status}'}).")
        if not said:
            return _no_ollama()
        return SummarizerRefused(f"The model server refused the request ({reason}).")

    def _too_long(self) -> TranscriptTooLong:
        return TranscriptTooLong(f"{TranscriptTooLong.__doc__} Raise MISTRAL_NUM_CTX to give it more.")


def _tagged(model: str) -> str:
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"


def _missing(model: str) -> str:
    return f"Ollama does not have the model '{model}': fetch it with 'ollama pull {model}'."


def _no_ollama() -> SummarizerRefused:
    return SummarizerRefused("What answers at OLLAMA_URL is no Ollama: check the address.")
