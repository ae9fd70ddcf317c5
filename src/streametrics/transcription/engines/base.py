"""What the engines share: being led over whole sounds, and lanes that hear one window at a time."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence

from streametrics.audio.pcm import Samples
from streametrics.domain.transcript import Segment, Transcript
from streametrics.transcription.base import OnSegment, Outcome, Sound
from streametrics.transcription.batching.scheduler import transcribe_speech, transcribe_together
from streametrics.transcription.engine import Engine, Lane, SpeechWindow

#: Passes at the same time on a CPU: a token's products are hardly faster on two threads, so each core hears something
#: of its own. Each takes memory for what it hears.
MOST_LANES = 4


class Led:
    """Makes a `engine.Engine` a `Transcriber`."""

    def transcribe(
        self: Engine, samples: Samples, *, speech_language: str | None = None, on_segment: OnSegment | None = None
    ) -> Transcript:
        return transcribe_speech(self, samples, speech_language=speech_language, on_segment=on_segment)

    def transcribe_together(self: Engine, sounds: Iterable[Sound | None]) -> Iterator[tuple[int, Outcome]]:
        return transcribe_together(self, sounds)


class OneWindowLane(ABC):
    """A `engine.Lane` over two methods for one window."""

    def detect_languages(self, heard: Sequence[SpeechWindow]) -> list[tuple[str, float]]:
        """See `engine.Lane`."""
        return [self._detect_language(window.samples) for window in heard]

    def decode(self, heard: Sequence[SpeechWindow], languages: Sequence[str]) -> Iterator[tuple[int, Segment]]:
        """See `engine.Lane`."""
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
    """A `Transcriber` and a `engine.Engine` over such lanes."""

    engine: str
    model: str
    precision: str
    known_languages: Sequence[str]
    windows_at_once = 1
    lanes: Sequence[Lane]

    @property
    def gains_by_halves(self) -> bool:
        """See `engine.Engine`: two lanes hear the halves at the same time. One would pay twice for silence."""
        return len(self.lanes) > 1

    @property
    def sounds_at_once(self) -> int:
        """One for each lane and one for each to go on with; a lane alone leaves the rest to other workers."""
        return 2 * len(self.lanes) if len(self.lanes) > 1 else 1
