"""Summarizes with a model and, where it fails, with the fallback; a warning tells the reader which, and why."""

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
from streametrics.summarization.circuit_breaker import CircuitBreaker


class FallbackSummarizer:
    """Summarizes with `primary`, and with `fallback` where that raises a SummarizerError.

    A server that is not there, or lacks the model, is found out by `health` and costs no retries: a live chunk cannot
    wait for them. When the request's time limit is out, the model's call is stopped and the fallback's summary is
    final. What `on_text` raises passes through. A server that failed BREAKER_FAILURES times in a row is left alone for
    BREAKER_RETRY_S, by live chunks and long recordings alike.

    fallback: None raises the error; there is no time limit then but the model's own, and a server that is not there
    is worth the retries.
    """

    def __init__(self, primary: Summarizer, fallback: Summarizer | None, breaker: CircuitBreaker | None = None) -> None:
        """breaker: None for one of 3 failures and 30 seconds."""
        self.source = primary.source
        self._primary = primary
        self._fallback = fallback
        self._breaker = breaker or CircuitBreaker(3, 30)

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

    def write_incremental_notes(self, request: SummaryRequest, notes: Notes, *, check: Callable[[], None]) -> int:
        """See `Summarizer`. Nothing is written while the breaker is open or the server is not there: the summary at the
        recording's end writes what is missing."""
        if self._breaker.rejection() is not None or not self._primary.health().has_model:
            return 0
        with self._breaker.guard() as call:
            written = self._primary.write_incremental_notes(request, _ProgressNotes(notes, self._breaker), check=check)
            if not written:
                call.ignore_result()
        return written

    def warm_up(self) -> None:
        self._primary.warm_up()

    def health(self) -> ModelHealth:
        health = self._primary.health()
        rejection = self._breaker.rejection()
        if rejection is None or not (health.reachable and health.has_model):
            return health
        return ModelHealth(Condition.FAILING, str(rejection))

    def _by_model(self, request: SummaryRequest, on_text: OnText | None, notes: Notes | None) -> Summary:
        telling = None if notes is None else _ProgressNotes(notes, self._breaker)
        with self._breaker.guard() as call:
            try:
                return self._primary.summarize(request, on_text=_watched(self._breaker, on_text), notes=telling)
            except _LiveDeadlineExceeded:
                # The server may be slow, or busy with a long recording: others must not lose their summary for it.
                if self._breaker.made_progress_recently():
                    call.ignore_result()
                raise

    def _refuse_what_cannot_be(self) -> None:
        """Refuse where health shows that no call can help; not counted, so that a server which was started is found."""
        if rejection := self._breaker.rejection():
            raise rejection
        health = self._primary.health()
        if not health.reachable:
            raise SummarizerUnavailable(health.detail)
        if not health.has_model:
            raise ModelMissing(health.detail)


class _LiveDeadlineExceeded(SummarizerTimeout):
    """The model's summary was not ready in time for a live stream (LIVE_DEADLINE_S)."""


class _ProgressNotes:
    """Notes that report each new one to the circuit breaker: a server that writes them works, however slowly."""

    def __init__(self, notes: Notes, breaker: CircuitBreaker) -> None:
        self._notes = notes
        self._breaker = breaker

    def get(self, key: str) -> str | None:
        return self._notes.get(key)

    def put(self, key: str, text: str, span: TimeSpan | None = None) -> None:
        self._breaker.record_progress()
        self._notes.put(key, text, span)


def _watched(breaker: CircuitBreaker, on_text: OnText | None) -> OnText:
    """Wrap `on_text` so that growing text is reported to the circuit breaker."""
    seen = ("", 0.0)

    def report(so_far: str, share: float) -> None:
        nonlocal seen
        if (so_far, share) != seen:
            seen = (so_far, share)
            breaker.record_progress()
        if on_text is not None:
            on_text(so_far, share)

    return report


def _until(time_limit_s: float | None, on_text: OnText | None) -> OnText | None:
    """Wrap `on_text` so that it ends the call after the time limit; a chat model calls it several times a second."""
    if time_limit_s is None:
        return on_text
    stop_at = time.monotonic() + time_limit_s

    def check(so_far: str, share: float) -> None:
        if time.monotonic() >= stop_at:
            raise _LiveDeadlineExceeded
        if on_text is not None:
            on_text(so_far, share)

    return check
