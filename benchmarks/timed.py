"""A worker that writes down when its engine worked: what is left of a job's time is the service's.

`ENGINE_TIMES` names a file; each call adds a line of JSON: `Call`.
"""

import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from streametrics.audio.pcm import Samples
from streametrics.domain.transcript import Segment, SpeechTask, Transcript
from streametrics.settings import Settings
from streametrics.transcription import factory as transcriber_factory
from streametrics.transcription.base import (
    OnSegment,
    Outcome,
    Transcriber,
    TranscriptionRequest,
    transcribe_sequentially,
)

_create = transcriber_factory.create


@dataclass(frozen=True, slots=True)
class Call:
    """Begin and end by the wall clock, and what of that went into telling of segments; seconds."""

    began: float
    ended: float
    telling_s: float

    @property
    def engine_s(self) -> float:
        return self.ended - self.began - self.telling_s


class TimedTranscriber:
    """The engine, with a stopwatch beside it; one sound at a time, so that each has its own time."""

    max_batch_requests = 1

    def __init__(self, inner: Transcriber, file: Path) -> None:
        self._inner, self._file = inner, file
        self.engine, self.model, self.precision = inner.engine, inner.model, inner.precision

    def transcribe(
        self,
        samples: Samples,
        *,
        speech_language: str | None = None,
        on_segment: OnSegment | None = None,
        task: SpeechTask = "transcribe",
    ) -> Transcript:
        telling_s = 0.0

        def tell(segment: Segment) -> None:
            nonlocal telling_s
            started = time.perf_counter()
            if on_segment is not None:
                on_segment(segment)
            telling_s += time.perf_counter() - started

        began = time.time()
        found = self._inner.transcribe(samples, speech_language=speech_language, on_segment=tell, task=task)
        with self._file.open("a") as opened:
            opened.write(json.dumps(asdict(Call(began, time.time(), telling_s))) + "\n")
        return found

    def transcribe_batch(self, sounds: Iterable[TranscriptionRequest | None]) -> Iterator[tuple[int, Outcome]]:
        return transcribe_sequentially(self, sounds)


def calls(file: Path) -> list[Call]:
    """The calls so far."""
    return [Call(**json.loads(line)) for line in file.read_text().splitlines()] if file.is_file() else []


def _timed(settings: Settings, *, progress: bool = False) -> Transcriber:
    return TimedTranscriber(_create(settings, progress=progress), Path(os.environ["ENGINE_TIMES"]))


if "ENGINE_TIMES" in os.environ:
    transcriber_factory.create = _timed
