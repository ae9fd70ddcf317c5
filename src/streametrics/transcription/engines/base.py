"""What every engine of windows shares: being led over whole sounds, in as many lanes as its cores are worth."""

from collections.abc import Iterable, Iterator

from streametrics.transcription.base import OnSegment, Outcome, Samples, Sound, Transcript
from streametrics.transcription.batching.scheduler import transcribe_speech, transcribe_together
from streametrics.transcription.windowing import Engine

#: Passes at the same time on a CPU: a token's products are hardly faster on two threads, so each core hears something
#: of its own. Each takes memory for what it hears.
MOST_LANES = 4


class Led:
    """Makes a `voice.Engine` a `Transcriber`."""

    def transcribe(
        self: Engine, samples: Samples, *, speech_language: str | None = None, on_segment: OnSegment | None = None
    ) -> Transcript:
        return transcribe_speech(self, samples, speech_language=speech_language, on_segment=on_segment)

    def transcribe_together(self: Engine, sounds: Iterable[Sound | None]) -> Iterator[tuple[int, Outcome]]:
        return transcribe_together(self, sounds)
