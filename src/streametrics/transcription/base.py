"""The contract of a Whisper engine: samples in, timed words out."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples
from streametrics.domain.transcript import Segment, Transcript

#: Called after each segment, in order of time. It may raise to stop the engine between two segments.
OnSegment = Callable[[Segment], None]


@dataclass(frozen=True, slots=True)
class Sound:
    """One of several sounds that are heard together.

    speech_language, on_segment: as `Transcriber.transcribe` takes them. check: called before each pass of the model
    in which the sound takes part; it may raise to take the sound out of it. background: nobody waits for it, so other
    sounds have their turn first.
    """

    samples: Samples
    speech_language: str | None = None
    on_segment: OnSegment | None = None
    check: Callable[[], None] | None = None
    background: bool = False


#: What became of one sound among several: an error is its own and ends no other.
Outcome = Transcript | Exception


class Transcriber(Protocol):
    """One loaded model. Not thread-safe: one call at a time."""

    #: `openai-whisper`, `openai-whisper-fast`, `faster-whisper` or `fake`.
    engine: str
    #: The name or path that was asked for, for people to read.
    model: str
    #: How it computes, such as `int8 on cpu`.
    precision: str

    @property
    def sounds_at_once(self) -> int:
        """How many sounds are worth hearing together; 1 for an engine that gains nothing by it."""
        ...

    def transcribe(
        self, samples: Samples, *, speech_language: str | None = None, on_segment: OnSegment | None = None
    ) -> Transcript:
        """Transcribe samples of any length, empty ones included.

        speech_language: a Whisper language code, or None to detect it.
        Raises TranscriptionFailed; whatever `on_segment` raises passes through unchanged.
        """
        ...

    def transcribe_together(self, sounds: Iterable[Sound | None]) -> Iterator[tuple[int, Outcome]]:
        """Several sounds of any length, each with the words that it has when it is heard alone.

        A sound is asked for when there is room for it. None says that none waits now: while others are at work it is
        asked for again, and where there are none it is the end. Each one's number, in that order, and what became of
        it are told as soon as they are known. What a sound's own listener raises, and TranscriptionFailed, are its
        outcome; what `sounds` raises passes through.
        """
        ...


def one_by_one(transcriber: Transcriber, sounds: Iterable[Sound | None]) -> Iterator[tuple[int, Outcome]]:
    """`transcribe_together` for an engine that hears one sound at a time."""
    for number, sound in enumerate(sounds):
        if sound is None:
            return
        yield number, _hear(transcriber, sound)


def _hear(transcriber: Transcriber, sound: Sound) -> Outcome:
    try:
        if sound.check is not None:
            sound.check()
        return transcriber.transcribe(sound.samples, speech_language=sound.speech_language, on_segment=sound.on_segment)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this sound's alone
        return error


def warm(transcriber: Transcriber) -> None:
    """Run the whole path once, so that the first job does not pay for lazy initialisation."""
    tone = np.sin(np.arange(SAMPLE_RATE_HZ, dtype=np.float32) * 0.1) * np.float32(0.01)
    transcriber.transcribe(tone, speech_language="en")
