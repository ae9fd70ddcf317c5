"""A worker whose engine and model take a known time: what is measured is the service, not them.

The engine takes `PACED_ENGINE_S` for a minute of sound. The model reads `PACED_READ` and writes `PACED_WRITE`
tokens a second; a token is a word here.
"""

import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples
from streametrics.domain.transcript import Segment, SpeechTask, Transcript
from streametrics.llm.base import ChatResponse, Condition, Message, ModelHealth, OnAnswer
from streametrics.settings import Settings
from streametrics.summarization import factory as summarizer_factory
from streametrics.summarization.base import Summarizer
from streametrics.transcription import factory as transcriber_factory
from streametrics.transcription.base import (
    OnSegment,
    Outcome,
    Transcriber,
    TranscriptionRequest,
    transcribe_sequentially,
)

#: Two and a half words a second is a lively speaker.
WORDS_PER_SECOND = 2.5
SEGMENT_S = 5.0
ANSWER = "Ada beats the dragon and thanks the chat. Then she sells the sword."
#: A note or an overview is longer.
LONG_ANSWER = " ".join(f"{ANSWER[:-1]} for {coins} coins." for coins in range(1, 6))


class PacedTranscriber:
    """Says numbered words at a speaker's pace, and takes its time for them."""

    engine, model, precision = "fake", "paced", "none"
    max_batch_requests = 1

    def __init__(self, seconds_per_minute: float) -> None:
        self._seconds_per_minute = seconds_per_minute

    def transcribe(
        self,
        samples: Samples,
        *,
        speech_language: str | None = None,
        on_segment: OnSegment | None = None,
        task: SpeechTask = "transcribe",
    ) -> Transcript:
        length_s = len(samples) / SAMPLE_RATE_HZ
        segments = []
        for start in np.arange(0, length_s, SEGMENT_S):
            end = min(start + SEGMENT_S, length_s)
            time.sleep((end - start) / 60 * self._seconds_per_minute)
            count = int((end - start) * WORDS_PER_SECOND)
            text = " ".join(f"word{int(start * 10) + index}" for index in range(count)) + "."
            segments.append(Segment(float(start), float(end), text))
            if on_segment is not None:
                on_segment(segments[-1])
        return Transcript(tuple(segments), "en")

    def transcribe_batch(self, sounds: Iterable[TranscriptionRequest | None]) -> Iterator[tuple[int, Outcome]]:
        return transcribe_sequentially(self, sounds)


class PacedModel:
    """Answers some sentences, as JSON where a schema is given, after the time that reading and writing take."""

    source, model = "fake", "paced"

    def __init__(self, *, read_per_s: float, write_per_s: float, context_tokens: int = 2048) -> None:
        self.context_tokens = context_tokens
        self._read_per_s, self._write_per_s = read_per_s, write_per_s

    def chat(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        schema: dict[str, Any] | None = None,
        on_answer: OnAnswer | None = None,
        urgent: bool = False,
    ) -> ChatResponse:
        tokens = sum(len(message["content"].split()) for message in messages)
        time.sleep(tokens / self._read_per_s)
        written: list[str] = []
        for word in _answer(max_tokens, schema).split(" "):
            time.sleep(1 / self._write_per_s)
            written.append(word)
            if on_answer is not None:
                on_answer(" ".join(written), len(written) / max_tokens)
        return ChatResponse(" ".join(written), prompt_tokens=tokens)

    def warm_up(self) -> None:
        """It is in memory."""

    def health(self) -> ModelHealth:
        return ModelHealth(Condition.WARM, "The paced model is always there.")


def _answer(max_tokens: int, schema: dict[str, Any] | None) -> str:
    if schema is None:
        return ANSWER if max_tokens < 200 else LONG_ANSWER
    moments = [{"time": f"0:{minute:02}:00", "what": ANSWER} for minute in range(5)]
    return json.dumps({"overview": LONG_ANSWER, "moments": moments})


def model() -> PacedModel:
    """The model that the environment describes."""
    return PacedModel(read_per_s=float(os.environ["PACED_READ"]), write_per_s=float(os.environ["PACED_WRITE"]))


def _transcriber(settings: Settings, *, progress: bool = False) -> Transcriber:
    return PacedTranscriber(float(os.environ["PACED_ENGINE_S"]))


def _summarizer(settings: Settings) -> Summarizer:
    from streametrics.summarization.llm_summarizer import LlmSummarizer

    return LlmSummarizer(model(), settings)


if "PACED_ENGINE_S" in os.environ:
    transcriber_factory.create = _transcriber
    summarizer_factory.create = _summarizer
