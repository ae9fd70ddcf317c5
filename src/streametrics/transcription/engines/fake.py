"""A transcriber without a model, for tests: one word for each second of audio, always the same."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples
from streametrics.domain.transcript import Segment, SpeechTask, Transcript, Word
from streametrics.errors import TranscriptionFailed
from streametrics.transcription.base import OnSegment, Outcome, TranscriptionRequest, transcribe_sequentially

#: Root mean square below which a second counts as silent; and the shortest audio that counts, in seconds.
SILENCE_LEVEL = 1e-3
MIN_SOUND_S = 0.3


class FakeTranscriber:
    """Transcribes the seconds that are not silent as `word0`, `word1`, …, in segments of one second.

    A translation of them is `english0`, `english1`, ….

    before_segment: called with each segment's number before it is emitted: to wait for an event, or to fail.
    """

    engine = "fake"
    precision = "none"
    #: It gains nothing by batches, but they can be tested with it.
    max_batch_requests = 8

    def __init__(self, *, model: str = "fake", before_segment: Callable[[int], None] | None = None) -> None:
        self.model = model
        self._before_segment = before_segment

    def transcribe(
        self,
        samples: Samples,
        *,
        speech_language: str | None = None,
        on_segment: OnSegment | None = None,
        task: SpeechTask = "transcribe",
    ) -> Transcript:
        if speech_language is not None and not (speech_language.isalpha() and len(speech_language) in (2, 3)):
            raise TranscriptionFailed(f"The model '{self.model}' does not know the language '{speech_language}'")
        segments: list[Segment] = []
        for second, start in enumerate(range(0, len(samples), SAMPLE_RATE_HZ)):
            second_samples = samples[start : start + SAMPLE_RATE_HZ]
            if len(second_samples) < MIN_SOUND_S * SAMPLE_RATE_HZ or _level(second_samples) < SILENCE_LEVEL:
                continue
            if self._before_segment is not None:
                self._before_segment(len(segments))
            end = second + len(second_samples) / SAMPLE_RATE_HZ
            if task == "translate":
                segments.append(Segment(float(second), end, f"english{second}", language="en"))
            else:
                word = Word(float(second), end, f" word{second}")
                segments.append(Segment(word.start, word.end, word.text.strip(), words=(word,)))
            if on_segment is not None:
                on_segment(segments[-1])
        language = "en" if task == "translate" or speech_language is None else speech_language
        return Transcript(tuple(segments), language if segments else None)

    def transcribe_batch(self, requests: Iterable[TranscriptionRequest | None]) -> Iterator[tuple[int, Outcome]]:
        return transcribe_sequentially(self, requests)


def _level(samples: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
