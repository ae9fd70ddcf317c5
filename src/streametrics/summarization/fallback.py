"""First the model; where it fails, the writer that is always there. The reader is told which one it was, and why."""

import time
from collections.abc import Callable

from streametrics.domain.job import Warn
from streametrics.domain.transcript import TimeSpan
from streametrics.errors import ModelMissing, SummarizerError, SummarizerTimeout, SummarizerUnavailable
from streametrics.llm.base import Condition, ModelHealth
from streametrics.summarization.base import (
    Notes,
    OnText,
    Summarizer,
    Summary,
    SummaryRequest,
    is_silent,
    silent_summary,
)
from streametrics.summarization.circuit_breaker import Breaker


class FallbackSummarizer:
    """`primary`, and `fallback` where it raises a SummarizerError.

    A server that is not there, or lacks the model, is found out by `health` and costs no retries: a live chunk cannot
    wait for them. When the request's time limit is out, the model's call is stopped and the fallback's summary is
    final. What `on_text` raises passes through. A server that failed BREAKER_FAILURES times in a row is left alone for
    BREAKER_RETRY_S, by live chunks and long recordings alike.

    fallback: None raises the error; there is no time limit then but the model's own, and a server that is not there
    is worth the retries.
    """

    def __init__(self, primary: Summarizer, fallback: Summarizer | None, breaker: Breaker | None = None) -> None:
        """breaker: None for one of 3 failures and 30 seconds."""
        self.source = primary.source
        self._primary = primary
        self._fallback = fallback
        self._breaker = breaker or Breaker(3, 30)

    def summarize(
        self, request: SummaryRequest, *, on_text: OnText | None = None, notes: Notes | None = None
    ) -> Summary:
        if is_silent(request.transcript):
            return silent_summary(request)
        if self._fallback is None:
            return self._by_model(request, on_text, notes)
        try:
            self._refuse_what_cannot_be()
            return self._by_model(request, _until(request.time_limit_s, on_text), notes)
        except SummarizerError as error:
            reason = error
        # `on_text` is not handed on: it may be what asked for the end, and the fallback takes milliseconds.
        summary = self._fallback.summarize(request)
        said = f"{reason} So the summary is made of the transcript's own sentences, in the language that was spoken."
        warnings = (Warn(reason.code, said), *summary.warnings)
        return Summary(summary.text, summary.source, summary.model, warnings)

    def write_ahead(self, request: SummaryRequest, notes: Notes, *, check: Callable[[], None]) -> int:
        """As the contract says; nothing while the server is left alone or is not there: the end of the recording will
        ask again."""
        if self._breaker.resting() is not None or not self._primary.health().has_model:
            return 0
        with self._breaker.guard() as call:
            written = self._primary.write_ahead(request, _Telling(notes, self._breaker), check=check)
            if not written:
                call.says_nothing()
        return written

    def warm_up(self) -> None:
        self._primary.warm_up()

    def health(self) -> ModelHealth:
        health = self._primary.health()
        resting = self._breaker.resting()
        if resting is None or not (health.reachable and health.has_model):
            return health
        return ModelHealth(Condition.FAILING, str(resting))

    def _by_model(self, request: SummaryRequest, on_text: OnText | None, notes: Notes | None) -> Summary:
        telling = None if notes is None else _Telling(notes, self._breaker)
        with self._breaker.guard() as call:
            try:
                return self._primary.summarize(request, on_text=_watched(self._breaker, on_text), notes=telling)
            except _TooLate:
                # The server may be slow, or busy with a long recording: others must not lose their summary for it.
                if self._breaker.was_alive():
                    call.says_nothing()
                raise

    def _refuse_what_cannot_be(self) -> None:
        """What shows at once is no failure that the breaker counts: the next chunk finds a server that was started."""
        if resting := self._breaker.resting():
            raise resting
        health = self._primary.health()
        if not health.reachable:
            raise SummarizerUnavailable(health.detail)
        if not health.has_model:
            raise ModelMissing(health.detail)


class _TooLate(SummarizerTimeout):
    """The model's summary was not ready in time for a live stream (LIVE_DEADLINE_S)."""


class _Telling:
    """Notes that tell the breaker of each that is written: a server that writes them is alive, however slow."""

    def __init__(self, notes: Notes, breaker: Breaker) -> None:
        self._notes = notes
        self._breaker = breaker

    def get(self, key: str) -> str | None:
        return self._notes.get(key)

    def put(self, key: str, text: str, span: TimeSpan | None = None) -> None:
        self._breaker.alive()
        self._notes.put(key, text, span)


def _watched(breaker: Breaker, on_text: OnText | None) -> OnText:
    """`on_text`, that tells the breaker of text that grows."""
    seen = ("", 0.0)

    def heard(so_far: str, share: float) -> None:
        nonlocal seen
        if (so_far, share) != seen:
            seen = (so_far, share)
            breaker.alive()
        if on_text is not None:
            on_text(so_far, share)

    return heard


def _until(time_limit_s: float | None, on_text: OnText | None) -> OnText | None:
    """`on_text`, that ends the call once the time is out; a model's call asks several times a second."""
    if time_limit_s is None:
        return on_text
    stop_at = time.monotonic() + time_limit_s

    def check(so_far: str, share: float) -> None:
        if time.monotonic() >= stop_at:
            raise _TooLate
        if on_text is not None:
            on_text(so_far, share)

    return check
