"""What the libraries' own engines share: a lane of theirs hears one window at a time."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from streametrics.transcription.base import Samples, Segment
from streametrics.transcription.engines.base import Led
from streametrics.transcription.windowing import Lane, SpeechWindow


class OneWindowLane(ABC):
    """A `voice.Lane` over two methods for one window."""

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


class OneWindowEngine(Led):
    """A `Transcriber` and a `voice.Engine` over such lanes."""

    engine: str
    model: str
    precision: str
    known_languages: Sequence[str]
    windows_at_once = 1
    lanes: Sequence[Lane]

    @property
    def gains_by_halves(self) -> bool:
        """See `voice.Engine`: two lanes hear the halves at the same time. One would pay twice for silence."""
        return len(self.lanes) > 1

    @property
    def sounds_at_once(self) -> int:
        """One for each lane and one for each to go on with; a lane alone leaves the rest to other workers."""
        return 2 * len(self.lanes) if len(self.lanes) > 1 else 1
