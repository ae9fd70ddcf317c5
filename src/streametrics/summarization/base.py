"""Contract of a summarizer: a transcript and its context in, a few sentences out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from streametrics.domain.job import SummaryLength, Warn
from streametrics.domain.transcript import Segment, TimeSpan
from streametrics.llm.base import ModelHealth
from streametrics.text import languages


class Notes(Protocol):
    """Stores notes on pieces of a long transcript, so that no piece is sent to the model twice.

    span: the stretch of the recording that a note is about, None for one that is made of other notes.
    """

    def get(self, key: str) -> str | None: ...

    def put(self, key: str, text: str, span: TimeSpan | None = None) -> None: ...


@dataclass(frozen=True, slots=True)
class SummaryRequest:
    """What to summarize. `language` is a code that `languages.parse` accepted; the rest comes from the upload.

    time_limit_s: after this, a summarizer with a fallback uses it; None for no limit but the summarizer's own.
    """

    transcript: str
    language: str
    streamer: str = ""
    game: str = ""
    title: str = ""
    time_limit_s: float | None = None
    #: The same words with their times, in seconds, where they are known: long summaries name moments by them.
    segments: tuple[Segment, ...] = ()
    #: Words of the operator's own, added to the instruction; empty for none.
    extra_instruction: str = ""
    #: None for what suits the length of the recording.
    length: SummaryLength | None = None


@dataclass(frozen=True, slots=True)
class KeyMoment:
    """What happened, and when: seconds from the beginning of the recording."""

    at_s: float
    what: str


@dataclass(frozen=True, slots=True)
class Summary:
    """A summary: its text, its source (`ollama`, `extractive`, …), its model, and warnings for its reader."""

    text: str
    source: str
    model: str | None = None
    warnings: tuple[Warn, ...] = ()
    #: The version of the prompts that asked for it; None where no model was asked.
    prompt_version: str | None = None
    #: Of a long one, in their order; its text has them too, a line each.
    moments: tuple[KeyMoment, ...] = ()


#: Called as text grows: the summary so far, and the share of the work done in 0…1. It may raise to stop the call.
OnText = Callable[[str, float], None]


class Summarizer(Protocol):
    """Thread-safe: several calls may run at once."""

    #: `ollama`, `extractive` or `fake`.
    source: str

    def summarize(
        self, request: SummaryRequest, *, on_text: OnText | None = None, notes: Notes | None = None
    ) -> Summary:
        """Summarize in `request.language`; a silent recording gets a short sentence that says so.

        notes: where a summarizer that works piece by piece looks for notes and stores them.
        Raises a SummarizerError; whatever `on_text` raises passes through unchanged.
        """
        ...

    def write_incremental_notes(self, request: SummaryRequest, notes: Notes, *, check: Callable[[], None]) -> int:
        """Write notes on a transcript that still grows, on those pieces that will not change any more.

        Returns how many were written now; 0 where nothing is to be done or the summarizer needs no notes. `check` is
        called often and may raise to stop. Raises a SummarizerError.
        """
        ...

    def warm_up(self) -> None:
        """Start loading a model that is not in memory, without waiting for it; never raises."""
        ...

    def health(self) -> ModelHealth:
        """Check the summarizer cheaply (at most about a second); never raises."""
        ...


def is_silent(transcript: str) -> bool:
    """Tell whether a transcript has no words: for silence Whisper writes nothing, or a lone note or ellipsis."""
    return not any(letter.isalnum() for letter in transcript)


def silent_summary(request: SummaryRequest) -> Summary:
    """Summarize a recording in which nobody speaks, in the language asked for, without a model."""
    sentence = languages.no_speech_sentence(request.language)
    return Summary(sentence, "extractive", warnings=(Warn("no_speech", "No speech was found in this recording."),))
