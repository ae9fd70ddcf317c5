"""Summaries by Ollama's native API: only it takes `num_ctx`, `truncate` and `shift` (the `/v1` routes do not).

A call is: wait for a turn, load the model if the server has not (its own limit), stream the answer (MISTRAL_TIMEOUT).
What may pass (no connection, silence, 408, 429, 5xx, a broken stream) is tried again after waits of 1, 2, 3 times
MISTRAL_RETRY_DELAY; an answer that is no summary is asked for once more; the rest is final.
"""

import contextlib
import functools
import ipaddress
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import SplitResult, urlsplit

from streametrics import prompts, sentences
from streametrics.errors import (
    ModelMissing,
    SummarizerBusy,
    SummarizerError,
    SummarizerRefused,
    SummarizerTimeout,
    SummarizerUnavailable,
    SummaryUnusable,
    TranscriptTooLong,
)
from streametrics.settings import Settings
from streametrics.summarizer import Notes, OnText, SummarizerHealth, Summary, SummaryRequest, is_silent, silent_summary
from streametrics.summarizers import exchange

#: Tokens that two or three sentences need in any language. Without a bound some answers never end.
NUM_PREDICT = 160
#: How long the server keeps the model in memory after a call.
KEEP_ALIVE = "30m"
#: Loading 4 GB from a slow disk; giving up earlier makes the server throw the half-loaded model away.
LOAD_TIMEOUT_S = 300.0
HEALTH_TIMEOUT_S = 1.0
#: `/api/ps` only reads a list; a server that needs longer for it is in trouble.
_LIST_TIMEOUT_S = 5.0

_MAY_PASS = (SummarizerUnavailable, SummarizerTimeout, SummarizerBusy)
_THINKING = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL)


class _LoadTimeout(SummarizerTimeout):
    """The model server could not load the model in time: see whether the machine has memory enough for it."""


class OllamaSummarizer:
    """One model on one server; thread-safe. At most SUMMARIZER_CONCURRENCY calls a server run in this process."""

    source = "ollama"

    def __init__(
        self,
        settings: Settings,
        *,
        wait: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        load_timeout_s: float = LOAD_TIMEOUT_S,
    ) -> None:
        """wait, clock: for tests. Between tries `wait` is called in steps of at most `exchange.BEAT_S` seconds."""
        self._settings = settings
        self._url = _base(settings.ollama_url)
        self._trust_env = not _is_loopback(self._url)  # a proxy that HTTP_PROXY names knows nothing of our loopback
        self._turns = _turns(self._url, settings.summarizer_concurrency)
        self._wait = wait
        self._clock = clock
        self._load_timeout_s = load_timeout_s

    def summarize(
        self, request: SummaryRequest, *, on_text: OnText | None = None, notes: Notes | None = None
    ) -> Summary:
        """As the contract says. `on_text` is also called, with what it was told last, about four times a second while
        nothing comes: in the queue for a turn, while the model loads, and between two tries."""
        if is_silent(request.transcript):
            return silent_summary(request)
        messages = prompts.summary(request)
        self._refuse_too_long(messages)
        progress = _Progress(on_text)
        may_be_unusable = True
        for attempt in range(1, self._settings.mistral_max_retries + 2):
            try:
                with self._turn(progress):
                    self._warm(progress)
                    text = self._chat(messages, progress)
                return Summary(text, self.source, model=self._settings.mistral_model)
            except SummaryUnusable as error:
                if error is progress.stopped_by or not may_be_unusable:
                    raise
                may_be_unusable = False
                last: SummarizerError = error
            except _MAY_PASS as error:
                if error is progress.stopped_by or isinstance(error, _LoadTimeout):
                    raise
                last = error
                if attempt <= self._settings.mistral_max_retries:
                    self._pause(self._settings.mistral_retry_delay * attempt, progress)
        raise last

    def write_ahead(self, request: SummaryRequest, notes: Notes, *, check: Callable[[], None]) -> int:
        return 0

    def health(self) -> SummarizerHealth:
        call = self._call("/api/tags")
        shown = _without_credentials(self._url)
        try:
            answer = exchange.whole(call, limit_s=HEALTH_TIMEOUT_S, clock=self._clock, beat=_nothing)
        except SummarizerError:
            return SummarizerHealth(False, False, f"Ollama does not answer at {shown}: start it with 'ollama serve'.")
        names = _model_names(answer)
        if names is None:
            return SummarizerHealth(False, False, f"What answers at {shown} is no Ollama: check OLLAMA_URL.")
        model = self._settings.mistral_model
        if _tagged(model) not in names:
            return SummarizerHealth(True, False, _missing(model))
        return SummarizerHealth(True, True, f"Ollama answers at {shown} and has the model '{model}'.")

    @contextlib.contextmanager
    def _turn(self, progress: "_Progress") -> Iterator[None]:
        while not self._turns.acquire(timeout=exchange.BEAT_S):
            progress.beat()
        try:
            yield
        finally:
            self._turns.release()

    def _pause(self, seconds: float, progress: "_Progress") -> None:
        while seconds > 0:
            progress.beat()
            step = min(exchange.BEAT_S, seconds)
            self._wait(step)
            seconds -= step

    def _warm(self, progress: "_Progress") -> None:
        """Have the model loaded before the clock of a call runs: giving up in between would undo the load."""
        listed = exchange.whole(self._call("/api/ps"), limit_s=_LIST_TIMEOUT_S, clock=self._clock, beat=progress.beat)
        names = _model_names(listed)
        if names is None or _tagged(self._settings.mistral_model) in names:
            return  # loaded, or a server that does not tell
        load = self._call("/api/generate", {"stream": False, "options": {"num_ctx": self._settings.mistral_num_ctx}})
        try:
            answer = exchange.whole(load, limit_s=self._load_timeout_s, clock=self._clock, beat=progress.beat)
        except SummarizerTimeout as error:
            if error is progress.stopped_by:
                raise
            raise _LoadTimeout from error
        if answer.status != 200:
            raise self._refusal(answer.status, answer.data if isinstance(answer.data, dict) else None)

    def _chat(self, messages: list[prompts.Message], progress: "_Progress") -> str:
        call = self._call("/api/chat", self._chat_body(messages))
        limit_s = self._settings.mistral_timeout
        with exchange.opened(call, limit_s=limit_s, clock=self._clock, beat=progress.beat) as reply:
            if reply.status != 200:
                raise self._refusal(reply.status, _json(next(reply.lines, b"")))
            if "html" in reply.content_type:
                raise _no_ollama()
            text = ""
            for tokens, line in enumerate(reply.lines, start=1):
                part = _json(line)
                if part is None:
                    raise SummarizerBusy("The model server broke off its answer.")
                if "error" in part:
                    raise self._refusal(500, part)
                text += str((part.get("message") or {}).get("content") or "")
                progress.grow(_tidy(text), tokens / NUM_PREDICT)
                if part.get("done"):
                    return self._finished(text, part, messages)
                if tokens > 2 * NUM_PREDICT:
                    raise SummaryUnusable("The model server wrote on past the bound that it was given.")
        raise SummarizerBusy("The model server broke off its answer.")

    def _chat_body(self, messages: list[prompts.Message]) -> dict[str, Any]:
        return {
            "messages": messages,
            "stream": True,
            "think": False,
            "truncate": False,  # refuse what is too long; else its front half, the instruction, is dropped silently
            "shift": False,
            "options": {
                "num_ctx": self._settings.mistral_num_ctx,
                "num_predict": NUM_PREDICT,
                "temperature": 0.2,
            },
        }

    def _call(self, path: str, body: dict[str, Any] | None = None) -> exchange.Call:
        if body is not None:
            body = {"model": self._settings.mistral_model, "keep_alive": KEEP_ALIVE} | body
        return exchange.Call(self._url + path, body, trust_env=self._trust_env)

    def _refuse_too_long(self, messages: list[prompts.Message]) -> None:
        """A word is a token at least, so more words than context cannot fit: no megabytes are sent to learn it."""
        if _words(messages) > self._settings.mistral_num_ctx:
            raise TranscriptTooLong

    def _finished(self, text: str, last: dict[str, Any], messages: list[prompts.Message]) -> str:
        read_tokens = last.get("prompt_eval_count")
        if isinstance(read_tokens, int) and 0 < read_tokens < _words(messages):
            raise TranscriptTooLong(
                "The model server dropped a part of the transcript: raise MISTRAL_NUM_CTX or update Ollama."
            )
        summary = _tidy(text)
        if not summary:
            raise SummaryUnusable("The model's answer was empty.")
        return sentences.cut_after_last_end(summary) if last.get("done_reason") == "length" else summary

    def _refusal(self, status: int, data: dict[str, Any] | None) -> SummarizerError:
        """What an answer other than 200 means (or an error line in a stream, as 500)."""
        said = data.get("error") if data else None
        reason = " ".join(str(said or "").split())[:200]
        if "context length" in reason or "context size" in reason:
            return TranscriptTooLong(f"{TranscriptTooLong.__doc__} Raise MISTRAL_NUM_CTX to give it more.")
        if status == 404 and said:
            return ModelMissing(_missing(self._settings.mistral_model))
        if status in (408, 429) or status >= 500:
            return SummarizerBusy(f"The model server failed for the moment ({reason or f'HTTP {status}'}).")
        if not said:
            return _no_ollama()
        return SummarizerRefused(f"The model server refused the request ({reason}).")


class _Progress:
    """Tells `on_text` of text that grows: a second try stays unheard until it is past the first one."""

    def __init__(self, on_text: OnText | None) -> None:
        #: What `on_text` raised: it wants the call to end, so that no retry may swallow it.
        self.stopped_by: BaseException | None = None
        self._on_text = on_text
        self._text = ""
        self._share = 0.0

    def grow(self, text: str, share: float) -> None:
        self._share = max(self._share, min(share, 1.0))
        if len(text) >= len(self._text):
            self._text = text
        self.beat()

    def beat(self) -> None:
        if self._on_text is None:
            return
        try:
            self._on_text(self._text, self._share)
        except BaseException as error:
            self.stopped_by = error
            raise


@functools.cache
def _turns(url: str, concurrency: int) -> threading.BoundedSemaphore:
    """One for a server in a process: several summarizers of the same server share it."""
    return threading.BoundedSemaphore(concurrency)


def _base(url: str) -> str:
    return (url if "://" in url else f"http://{url}").rstrip("/")


def _parts(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # a bracket too few; the call itself will say that this is no address
        return urlsplit("http://OLLAMA_URL")


def _is_loopback(url: str) -> bool:
    host = _parts(url).hostname or ""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost" or host.endswith(".localhost")


def _without_credentials(url: str) -> str:
    parts = _parts(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _tagged(model: str) -> str:
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"


def _model_names(answer: exchange.Answer) -> set[str] | None:
    """The models of `/api/tags` or `/api/ps`, each with its tag; None where the answer is not Ollama's."""
    models = answer.data.get("models") if answer.status == 200 and isinstance(answer.data, dict) else None
    if not isinstance(models, list):
        return None
    return {_tagged(str(model.get("name"))) for model in models if isinstance(model, dict)}


def _missing(model: str) -> str:
    return f"Ollama does not have the model '{model}': fetch it with 'ollama pull {model}'."


def _no_ollama() -> SummarizerRefused:
    return SummarizerRefused("What answers at OLLAMA_URL is no Ollama: check the address.")


def _json(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _words(messages: list[prompts.Message]) -> int:
    return sum(len(message["content"].split()) for message in messages)


def _tidy(text: str) -> str:
    """One line, without what a thinking model says to itself."""
    return " ".join(prompts.clean(_THINKING.sub(" ", text)).split())


def _nothing() -> None:
    """Nobody to wake."""
