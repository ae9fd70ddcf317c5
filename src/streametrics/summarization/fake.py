"""A writer for tests: the same words for the same request, or the failure that was ordered."""

import threading
from collections.abc import Callable, Iterable

from streametrics.errors import SummarizerError
from streametrics.llm.base import Condition, ModelHealth
from streametrics.summarization.base import Notes, OnText, Summary, SummaryRequest, is_silent, silent_summary

HEALTHY = ModelHealth(Condition.WORKING, "The fake writer is always there.")

#: Words of the transcript that the summary repeats.
_REPEATED_WORDS = 12


class FakeSummarizer:
    """Summarises by repeating the transcript's first words.

    text: the summary, instead of one made from the transcript. failures: what the calls raise, one after another, and
    nothing once they are used up; None among them lets a call pass. report: what `health` answers.
    """

    def __init__(
        self,
        *,
        text: str | None = None,
        failures: Iterable[SummarizerError | None] = (),
        report: ModelHealth = HEALTHY,
        source: str = "fake",
    ) -> None:
        self.source = source
        #: Every request with speech that reached this writer, in order.
        self.calls: list[SummaryRequest] = []
        #: How often `warm_up` was called.
        self.warmed_up = 0
        self._text = text
        self._failures = iter(failures)
        self._report = report
        self._lock = threading.Lock()

    def summarize(
        self, request: SummaryRequest, *, on_text: OnText | None = None, notes: Notes | None = None
    ) -> Summary:
        if is_silent(request.transcript):
            return silent_summary(request)
        with self._lock:
            self.calls.append(request)
            failure = next(self._failures, None)
        if failure is not None:
            raise failure
        words = (self._text or self._repeat(request)).split()
        if on_text is not None:
            for count in range(1, len(words) + 1):
                on_text(" ".join(words[:count]), count / len(words))
        return Summary(" ".join(words), self.source, model="fake")

    def write_ahead(self, request: SummaryRequest, notes: Notes, *, check: Callable[[], None]) -> int:
        return 0

    def warm_up(self) -> None:
        self.warmed_up += 1

    def health(self) -> ModelHealth:
        return self._report

    @staticmethod
    def _repeat(request: SummaryRequest) -> str:
        words = request.transcript.split()
        return f"Summary of {len(words)} words in {request.language}: {' '.join(words[:_REPEATED_WORDS])}."
