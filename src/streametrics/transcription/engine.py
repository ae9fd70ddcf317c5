"""Contract of a speech engine and of its execution contexts: windows of speech in, segments out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from streametrics.audio.pcm import Samples
from streametrics.domain.transcript import Segment, SpeechTask
from streametrics.transcription.vad import SampleSpan


@dataclass(frozen=True, slots=True)
class SpeechWindow:
    """Up to about 30 s of audio; the last speech in it ends after `voiced_until_s` seconds.

    stretches: where in the window somebody speaks, in samples from its beginning. task: what to decode it to; windows
    of one batch may differ in it.
    """

    samples: Samples
    voiced_until_s: float
    stretches: tuple[SampleSpan, ...] = ()
    task: SpeechTask = "transcribe"


class ExecutionContext(Protocol):
    """Decodes one batch of windows at a time; other contexts may decode others meanwhile, each in its own thread."""

    def detect_languages(self, windows: Sequence[SpeechWindow]) -> list[tuple[str, float]]:
        """Detect each window's Whisper language code and its probability."""
        ...

    def probe_languages(self, stretches: Sequence[Samples]) -> list[tuple[str, float]]:
        """Do the same for short stretches of a window, encoding no more than these.

        What was encoded to detect the windows' languages is still there afterwards, for `decode`.
        """
        ...

    def decode(self, windows: Sequence[SpeechWindow], languages: Sequence[str]) -> Iterator[tuple[int, Segment | None]]:
        """Yield segments, each with its window's number, as soon as each is known; those of one window in order.

        Times are in seconds from the beginning of the segment's window. None marks the end of a window; a window
        without that mark ends with the batch.
        """
        ...


class Engine(Protocol):
    """A loaded model that decodes windows of speech."""

    #: The name or path that was asked for, for people to read.
    model: str
    #: Whisper's codes of the languages that it knows.
    known_languages: Sequence[str]
    #: The most windows in one batch.
    max_batch_windows: int

    @property
    def benefits_from_half_windows(self) -> bool:
        """Tell whether two halves of a window are decoded faster together than the whole: each has half the tokens."""
        ...

    @property
    def execution_contexts(self) -> "Sequence[ExecutionContext]":
        """At least one, and as many as the engine gains by decoding at the same time."""
        ...
