"""Shared bases of the engines: whole requests through the batch scheduler, and contexts for single windows."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence

from streametrics.audio.pcm import Samples
from streametrics.domain.transcript import Segment, SpeechTask, Transcript
from streametrics.transcription.base import OnSegment, Outcome, TranscriptionRequest
from streametrics.transcription.batching.scheduler import transcribe_batch, transcribe_speech
from streametrics.transcription.engine import Engine, ExecutionContext, SpeechWindow

#: Batches at the same time on a CPU: a token's products are hardly faster on two threads, so each core decodes a window
#: of its own. Each takes memory for its window.
MAX_EXECUTION_CONTEXTS = 4


class BatchingTranscriber:
    """Makes an `engine.Engine` a `Transcriber`, through the batch scheduler."""

    def transcribe(
        self: Engine,
        samples: Samples,
        *,
        speech_language: str | None = None,
        on_segment: OnSegment | None = None,
        task: SpeechTask = "transcribe",
    ) -> Transcript:
        return transcribe_speech(self, samples, speech_language=speech_language, on_segment=on_segment, task=task)

    def transcribe_batch(
        self: Engine, requests: Iterable[TranscriptionRequest | None]
    ) -> Iterator[tuple[int, Outcome]]:
        return transcribe_batch(self, requests)


class SingleWindowContext(ABC):
    """Implements `engine.ExecutionContext` by two methods for one window."""

    def detect_languages(self, windows: Sequence[SpeechWindow]) -> list[tuple[str, float]]:
        """See `engine.ExecutionContext`."""
        return [self._detect_language(window.samples) for window in windows]

    def probe_languages(self, stretches: Sequence[Samples]) -> list[tuple[str, float]]:
        """See `engine.ExecutionContext`."""
        return [self._probe_language(samples) for samples in stretches]

    def decode(self, windows: Sequence[SpeechWindow], languages: Sequence[str]) -> Iterator[tuple[int, Segment]]:
        """See `engine.ExecutionContext`."""
        for number, (window, language) in enumerate(zip(windows, languages, strict=True)):
            for segment in self._decode(window.samples, language, window.task):
                yield number, segment

    @abstractmethod
    def _detect_language(self, samples: Samples) -> tuple[str, float]:
        """Detect the Whisper language code and its probability."""

    @abstractmethod
    def _probe_language(self, samples: Samples) -> tuple[str, float]:
        """Do the same for a short stretch, encoding no more than that."""

    @abstractmethod
    def _decode(self, samples: Samples, language: str, task: SpeechTask) -> Iterator[Segment]:
        """Yield segments in order, as soon as each is known; times in seconds from the beginning of the samples."""


class SingleWindowEngine(BatchingTranscriber):
    """Serves as `Transcriber` and `engine.Engine` over contexts that decode one window at a time."""

    engine: str
    model: str
    precision: str
    known_languages: Sequence[str]
    max_batch_windows = 1
    execution_contexts: Sequence[ExecutionContext]

    @property
    def benefits_from_half_windows(self) -> bool:
        """See `engine.Engine`: two contexts decode the halves at the same time. One would encode silence twice."""
        return len(self.execution_contexts) > 1

    @property
    def max_batch_requests(self) -> int:
        """Two for each context: one running, one next. A single context leaves the rest to other workers."""
        return 2 * len(self.execution_contexts) if len(self.execution_contexts) > 1 else 1
