"""First the model; where it fails, the writer that is always there. The reader is told which one it was, and why."""

import time
from collections.abc import Callable

from streametrics.errors import ModelMissing, SummarizerError, SummarizerTimeout, SummarizerUnavailable
from streametrics.job import Warn
from streametrics.summarizer import (
    Notes,
    OnText,
    Summarizer,
    SummarizerHealth,
    Summary,
    SummaryRequest,
    is_silent,
    silent_summary,
)


class FallbackSummarizer:
    """`primary`, and `fallback` where it raises a SummarizerError.

    A server that is not there, or lacks the model, is found out by `health` and costs no retries: a live chunk cannot
    wait for them. When the request's time limit is out, the model's call is stopped and the fallback's summary is
    final. What `on_text` raises passes through.
    """

    def __init__(self, primary: Summarizer, fallback: Summarizer) -> None:
        self.source = primary.source
        self._primary = primary
        self._fallback = fallback

    def summarize(
        self, request: SummaryRequest, *, on_text: OnText | None = None, notes: Notes | None = None
    ) -> Summary:
        if is_silent(request.transcript):
            return silent_summary(request)
        health = self._primary.health()
        try:
            if not health.reachable:
                raise SummarizerUnavailable(health.detail)
            if not health.has_model:
                raise ModelMissing(health.detail)
            return self._primary.summarize(request, on_text=_until(request.time_limit_s, on_text), notes=notes)
        except SummarizerError as error:
            reason = error
        # `on_text` is not handed on: it may be what asked for the end, and the fallback takes milliseconds.
        summary = self._fallback.summarize(request)
        said = f"{reason} So the summary is made of the transcript's own sentences, in the language that was spoken."
        warnings = (Warn(reason.code, said), *summary.warnings)
        return Summary(summary.text, summary.source, summary.model, warnings)

    def write_ahead(self, request: SummaryRequest, notes: Notes, *, check: Callable[[], None]) -> int:
        return self._primary.write_ahead(request, notes, check=check)

    def health(self) -> SummarizerHealth:
        return self._primary.health()


def _until(time_limit_s: float | None, on_text: OnText | None) -> OnText | None:
    """`on_text`, that ends the call once the time is out; a model's call asks several times a second."""
    if time_limit_s is None:
        return on_text
    stop_at = time.monotonic() + time_limit_s

    def check(so_far: str, share: float) -> None:
        if time.monotonic() >= stop_at:
            raise SummarizerTimeout("The model's summary was not ready in time for a live stream (LIVE_DEADLINE_S).")
        if on_text is not None:
            on_text(so_far, share)

    return check
