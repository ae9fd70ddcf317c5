"""An engine and a writer that wait instead of computing, so that a thousand kills cost the processor little.

How loud a sound is says what becomes of its engine: `tests.chaos.sounds` makes such sounds. CHAOS_ENGINE_S and
CHAOS_WRITER_S are seconds for a segment and for a summary; CHAOS_RUNS is a file with a line for each time a sound was
begun that kills or hangs.
"""

import ctypes
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from streametrics.audio.pcm import Samples
from streametrics.domain.transcript import SpeechTask, Transcript
from streametrics.settings import Settings
from streametrics.summarization import factory as summarizer_factory
from streametrics.summarization.base import Notes, OnText, Summarizer, Summary, SummaryRequest
from streametrics.summarization.fake import FakeSummarizer
from streametrics.transcription import factory as transcriber_factory
from streametrics.transcription.base import OnSegment, Transcriber
from streametrics.transcription.engines.fake import FakeTranscriber
from tests.chaos.sounds import DIES, HANGS, HANGS_IN_C, NEAR

#: Between two looks at whether the work should stop, in seconds.
BEAT_S = 0.05


class StubTranscriber(FakeTranscriber):
    """Says the fake's words, after their time."""

    def __init__(self) -> None:
        super().__init__(before_segment=lambda _: time.sleep(float(os.environ.get("CHAOS_ENGINE_S", "0.2"))))

    def transcribe(
        self,
        samples: Samples,
        *,
        speech_language: str | None = None,
        on_segment: OnSegment | None = None,
        task: SpeechTask = "transcribe",
    ) -> Transcript:
        loudness = float(np.abs(samples).max(initial=0.0))
        for level, end in _ENDS.items():
            if abs(loudness - level) < NEAR:
                _note(end.__name__)
                end()
        return super().transcribe(samples, speech_language=speech_language, on_segment=on_segment, task=task)


def _die() -> None:
    time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGKILL)


def _hang() -> None:
    """Endless, and deaf to exceptions that a signal or another thread raises here."""
    while True:
        try:
            while True:
                time.sleep(1)
        except Exception:  # noqa: BLE001 - that is what it is to be deaf
            continue


def _hang_in_c() -> None:
    """Endless in C, with the interpreter's lock held: no other thread of this process runs any more."""
    library, mutex = ctypes.PyDLL(None), ctypes.create_string_buffer(64)
    library.pthread_mutex_lock(mutex)
    library.pthread_mutex_lock(mutex)  # its own holder: for ever, and no signal ends that


_ENDS: dict[float, Callable[[], None]] = {DIES: _die, HANGS: _hang, HANGS_IN_C: _hang_in_c}


def _note(what: str) -> None:
    with Path(os.environ["CHAOS_RUNS"]).open("a") as runs:
        runs.write(f"{what} {os.getpid()} {time.time()}\n")


class _StubSummarizer(FakeSummarizer):
    def summarize(
        self, request: SummaryRequest, *, on_text: OnText | None = None, notes: Notes | None = None
    ) -> Summary:
        ends_at = time.monotonic() + float(os.environ.get("CHAOS_WRITER_S", "0.2"))
        while time.monotonic() < ends_at:
            if on_text is not None:
                on_text("growing", 0.5)
            time.sleep(BEAT_S)
        return super().summarize(request, on_text=on_text, notes=notes)


def _transcriber(settings: Settings, *, progress: bool = False) -> Transcriber:
    return StubTranscriber()


def _summarizer(settings: Settings) -> Summarizer:
    return _StubSummarizer()


if "CHAOS_RUNS" in os.environ:
    transcriber_factory.create = _transcriber
    summarizer_factory.create = _summarizer
