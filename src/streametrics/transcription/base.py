"""Contract of a transcriber: samples in, timed segments out."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples
from streametrics.domain.transcript import Segment, SpeechTask, Transcript

#: Called after each segment, in order of time. It may raise to stop the transcription.
OnSegment = Callable[[Segment], None]


@dataclass(frozen=True, slots=True)
class TranscriptionRequest:
    """Audio to transcribe, maybe in batches with that of other requests.

    speech_language, on_segment, task: as `Transcriber.transcribe` takes them. check: called before each batch that the
    request takes part in; it may raise to end the request. background: nobody waits for it, so others come first.
    """

    samples: Samples
    speech_language: str | None = None
    on_segment: OnSegment | None = None
    check: Callable[[], None] | None = None
    background: bool = False
    task: SpeechTask = "transcribe"


#: How one request ended: an error ends that request and no other.
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
    def max_batch_requests(self) -> int:
        """How many requests are worth transcribing at once; 1 for an engine that gains nothing by batches."""
        ...

    def transcribe(
        self,
        samples: Samples,
        *,
        speech_language: str | None = None,
        on_segment: OnSegment | None = None,
        task: SpeechTask = "transcribe",
    ) -> Transcript:
        """Transcribe samples of any length, empty ones included.

        speech_language: a Whisper language code, or None to detect it. task: a translation is in English, and its
        segments have no words, as no sound is theirs alone.
        Raises TranscriptionFailed; whatever `on_segment` raises passes through unchanged.
        """
        ...

    def transcribe_batch(self, requests: Iterable[TranscriptionRequest | None]) -> Iterator[tuple[int, Outcome]]:
        """Transcribe several requests of any length, each with the result that it would have alone.

        A request is asked for when there is room for it. None says that none waits now: while others run it is asked
        again, and when none run that is the end. Yields each request's number, in the order given, and its outcome, as
        soon as it is known. What a request's own callbacks raise, and TranscriptionFailed, become its outcome; what
        `requests` raises passes through.
        """
        ...


def transcribe_sequentially(
    transcriber: Transcriber, requests: Iterable[TranscriptionRequest | None]
) -> Iterator[tuple[int, Outcome]]:
    """Implement `transcribe_batch` for an engine that transcribes one request at a time."""
    for number, request in enumerate(requests):
        if request is None:
            return
        yield number, _transcribe_one(transcriber, request)


def _transcribe_one(transcriber: Transcriber, request: TranscriptionRequest) -> Outcome:
    try:
        if request.check is not None:
            request.check()
        return transcriber.transcribe(
            request.samples,
            speech_language=request.speech_language,
            on_segment=request.on_segment,
            task=request.task,
        )
    except Exception as error:  # noqa: BLE001 - whatever it is, it ends this request alone
        return error


def warm(transcriber: Transcriber) -> None:
    """Run the whole path once, so that the first job does not pay for lazy initialization."""
    tone = np.sin(np.arange(SAMPLE_RATE_HZ, dtype=np.float32) * 0.1) * np.float32(0.01)
    transcriber.transcribe(tone, speech_language="en")
