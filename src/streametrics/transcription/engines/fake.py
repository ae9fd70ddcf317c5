"""An engine without a model, for tests: one word for each second of sound, always the same."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples
from streametrics.domain.transcript import Segment, Transcript
from streametrics.errors import TranscriptionFailed
from streametrics.transcription.base import OnSegment, Outcome, Sound, one_by_one

#: Root mean square below which a second counts as silent; the least sound that counts, in seconds.
SILENT_BELOW = 1e-3
SHORTEST_SOUND_S = 0.3


class FakeTranscriber:
    """Says `word0`, `word1`, … for the seconds of sound that are not silent, as segments of one second.

    before_segment: called with each segment's number before it is told: to wait for an event, or to fail.
    """

    engine = "fake"
    precision = "none"
    #: It gains nothing by it, but what is to be tested of sounds that are taken together can be tested with it.
    sounds_at_once = 8

    def __init__(self, *, model: str = "fake", before_segment: Callable[[int], None] | None = None) -> None:
        self.model = model
        self._before_segment = before_segment

    def transcribe(
        self, samples: Samples, *, speech_language: str | None = None, on_segment: OnSegment | None = None
    ) -> Transcript:
        if speech_language is not None and not (speech_language.isalpha() and len(speech_language) in (2, 3)):
            raise TranscriptionFailed(f"The model '{self.model}' does not know the language '{speech_language}'")
        segments: list[Segment] = []
        for second, start in enumerate(range(0, len(samples), SAMPLE_RATE_HZ)):
            heard = samples[start : start + SAMPLE_RATE_HZ]
            if len(heard) < SHORTEST_SOUND_S * SAMPLE_RATE_HZ or _level(heard) < SILENT_BELOW:
                continue
            if self._before_segment is not None:
                self._before_segment(len(segments))
            segments.append(Segment(float(second), second + len(heard) / SAMPLE_RATE_HZ, f"word{second}"))
            if on_segment is not None:
                on_segment(segments[-1])
        return Transcript(tuple(segments), (speech_language or "en") if segments else None)

    def transcribe_together(self, sounds: Iterable[Sound | None]) -> Iterator[tuple[int, Outcome]]:
        return one_by_one(self, sounds)


def _level(samples: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
