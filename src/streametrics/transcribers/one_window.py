"""What the libraries' own engines share: they hear one window at a time."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence

from streametrics.audio.hearing import transcribe_speech, transcribe_together
from streametrics.audio.voice import Lane, SpeechWindow
from streametrics.transcriber import OnSegment, Outcome, Samples, Segment, Sound, Transcript


class OneWindowAtATime(ABC):
    """A `Transcriber`, a `voice.Engine` and its only lane, over two methods for one window."""

    windows_at_once = 1
    gains_by_halves = False
    #: Several taken at once would wait for each other here, while another worker might hear them.
    sounds_at_once = 1
    engine: str
    model: str
    precision: str
    known_languages: Sequence[str]

    def transcribe(
        self, samples: Samples, *, speech_language: str | None = None, on_segment: OnSegment | None = None
    ) -> Transcript:
        return transcribe_speech(self, samples, speech_language=speech_language, on_segment=on_segment)

    def transcribe_together(self, sounds: Iterable[Sound | None]) -> Iterator[tuple[int, Outcome]]:
        return transcribe_together(self, sounds)

    @property
    def lanes(self) -> Sequence[Lane]:
        """See `voice.Engine`."""
        return [self]

    def detect_languages(self, heard: Sequence[SpeechWindow]) -> list[tuple[str, float]]:
        """See `voice.Lane`."""
        return [self._detect_language(window.samples) for window in heard]

    def decode(self, heard: Sequence[SpeechWindow], languages: Sequence[str]) -> Iterator[tuple[int, Segment]]:
        """See `voice.Lane`."""
        for number, (window, language) in enumerate(zip(heard, languages, strict=True)):
            for segment in self._decode(window.samples, language):
                yield number, segment

    @abstractmethod
    def _detect_language(self, samples: Samples) -> tuple[str, float]:
        """A Whisper language code and its probability."""

    @abstractmethod
    def _decode(self, samples: Samples, language: str) -> Iterator[Segment]:
        """Segments in order, as soon as each is known, times in seconds from the beginning of the samples."""
