"""The contract of a Whisper engine: samples in, timed words out."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

#: What every Whisper model hears.
SAMPLE_RATE_HZ = 16_000

#: Mono sound at `SAMPLE_RATE_HZ`, shape (samples,), float32 in -1…1.
Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Evidence:
    """How sure an engine was: figures of the whole pass that a segment comes from.

    average_logprob: mean natural logarithm of the tokens' probabilities. no_speech: probability (0…1) that nobody
    speaks. compression_ratio: of the pass's text; a loop compresses well. ended: whether the model said by itself that
    all was said; None where the engine does not tell.
    """

    average_logprob: float
    no_speech: float
    compression_ratio: float
    temperature: float
    ended: bool | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech: start and end in seconds from the beginning of the samples, text stripped.

    evidence: what an engine says of its own answer; nobody outside of `audio` needs it.
    """

    start: float
    end: float
    text: str
    evidence: Evidence | None = field(default=None, compare=False, repr=False)


class LeftOut(StrEnum):
    """Why words of an engine are not in a transcript."""

    NOBODY = "nobody"  #: the voice detector found nobody where they are said
    GUESS = "guess"  #: the engine was not sure of them, and there is hardly a voice
    LOOP = "loop"  #: the engine repeated itself without end


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said. `language` is a Whisper code such as `en`, or None where nothing was heard.

    left_out: how many words of the engine's are not in it, by reason.
    """

    segments: tuple[Segment, ...]
    language: str | None
    left_out: Mapping[LeftOut, int] = field(default_factory=dict, compare=False)

    @property
    def text(self) -> str:
        """All segments in one line; empty for silence."""
        return " ".join(segment.text for segment in self.segments if segment.text)


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

    #: `openai-whisper`, `openai-whisper-int8`, `faster-whisper` or `fake`.
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
