"""The worker's engine and writer for tests: the fakes held at a gate: a folder in which the test makes files.

Before segment N the engine writes `at-<pid>-<n>` there and waits for `open`; with `die` it kills its process
instead, before segment N alone with `die-at-<n>`; with `hold` it stays in C and keeps the interpreter's lock. The
writer waits for `open-summary` in the same way. With `slow-load` the engine writes `loading-<pid>` and never loads.
With `slow-stop` the main process writes `stopping` when it hears SIGTERM, and stays in Celery's handler for ever, with
the lock that a second one wants.
"""

import ctypes
import os
import signal
import threading
import time
from pathlib import Path

from streametrics.settings import Settings
from streametrics.summarization import factory as summarizer_factory
from streametrics.summarization.base import Notes, OnText, Summarizer, Summary, SummaryRequest
from streametrics.summarization.fake import FakeSummarizer
from streametrics.transcription import factory as transcriber_factory
from streametrics.transcription.base import Transcriber
from streametrics.transcription.engines.fake import FakeTranscriber

GATE = Path(os.environ["TEST_GATE"])
#: `warm` transcribes one second of a tone before any test can open the gate.
_WARM_SEGMENTS = 1


class _Gate:
    def __init__(self) -> None:
        self._seen = 0

    def before_segment(self, number: int) -> None:
        self._seen += 1
        if self._seen <= _WARM_SEGMENTS:
            return
        with (GATE / "transcribed").open("a") as ledger:
            ledger.write(f"{os.getpid()} {number}\n")
        if (GATE / f"die-at-{number}").exists():
            os.kill(os.getpid(), signal.SIGKILL)
        wait(f"at-{os.getpid()}-{number}", "open")


def wait(mark: str, opening: str) -> None:
    (GATE / mark).touch()
    while not (GATE / opening).exists():
        if (GATE / "die").exists():
            os.kill(os.getpid(), signal.SIGKILL)
        if (GATE / "hold").exists():
            ctypes.PyDLL(None).sleep(1_000)
        time.sleep(0.01)


class _GatedSummarizer(FakeSummarizer):
    def summarize(
        self, request: SummaryRequest, *, on_text: OnText | None = None, notes: Notes | None = None
    ) -> Summary:
        (GATE / f"summary-at-{os.getpid()}").touch()
        while not (GATE / "open-summary").exists():
            if on_text is not None:
                on_text("growing", 0.5)
            time.sleep(0.01)
        return super().summarize(request, on_text=on_text, notes=notes)


class SlowLock:
    """For Celery's lock around the receivers of `worker_shutting_down`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()
        if (GATE / "slow-stop").exists():
            wait("stopping", "never")

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def _transcriber(settings: Settings, *, progress: bool = False) -> Transcriber:
    if (GATE / "slow-load").exists():
        wait(f"loading-{os.getpid()}", "never")
    return FakeTranscriber(before_segment=_Gate().before_segment)


def _summarizer(settings: Settings) -> Summarizer:
    return _GatedSummarizer()


transcriber_factory.create = _transcriber
summarizer_factory.create = _summarizer
