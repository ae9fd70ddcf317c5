"""What is counted of the service's life, whichever of its processes sees it. Counting never fails and never waits.

A process adds up what it counts and hands it on about once a second; `api/prometheus` shows the sums of all processes.
What a killed process had not handed on yet is lost, and no job with it.
"""

import threading
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

#: Between two times of handing on, in seconds.
HAND_ON_S = 1.0


@dataclass(frozen=True, slots=True)
class Counted:
    """One thing that is counted; `buckets` are a histogram's upper limits, a counter has none."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = field(default=())


ACCEPTED = Counted(
    "streametrics_jobs_accepted", "Jobs accepted, by kind: live, long, or redo (a summary anew).", ("kind",)
)
ENDED = Counted(
    "streametrics_jobs_ended", "Jobs that reached a final state; code says why a job ended in error.", ("state", "code")
)
ERASED = Counted("streametrics_jobs_erased", "Finished jobs whose data a client had erased.")
LEASES_EXPIRED = Counted(
    "streametrics_leases_expired", "Claims whose worker was lost: they were sent again, or ended.", ("stage",)
)
SENT_AGAIN = Counted("streametrics_wake_ups_sent_again", "Messages that were lost and sent again.", ("queue",))
REFUSED = Counted("streametrics_uploads_refused", "Uploads that were refused, by the code of the answer.", ("code",))
MODEL_FAILURES = Counted(
    "streametrics_model_failures", "Summaries for which the model server failed, retries included.", ("code",)
)
WORDS_FILTERED = Counted("streametrics_words_filtered", "Words left out of transcripts as invented.", ("reason",))
AUDIO = Counted("streametrics_audio_seconds", "Sound transcribed, in seconds of sound.")
STAGE = Counted(
    "streametrics_stage_seconds",
    "Seconds that one attempt took which ended well: an upload or a part (transcribe), a summary (summarize).",
    ("stage",),
    (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600),
)
REAL_TIME_FACTOR = Counted(
    "streametrics_real_time_factor",
    "Seconds of work for one second of sound; chunks heard together count the whole time each.",
    (),
    (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
COUNTED = (
    *(ACCEPTED, ENDED, ERASED, LEASES_EXPIRED, SENT_AGAIN, REFUSED, MODEL_FAILURES, WORDS_FILTERED, AUDIO),
    *(STAGE, REAL_TIME_FACTOR),
)


class Metrics:
    """Counts. Thread-safe.

    hand_on: adds these amounts to the sums of all processes; False where that was not possible, and they are kept.
    """

    def __init__(self, hand_on: Callable[[Mapping[str, float]], bool]) -> None:
        self._hand_on = hand_on
        self._lock = threading.Lock()
        self._amounts: dict[str, float] = {}
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def count(self, counted: Counted, *labels: str, by: float = 1) -> None:
        """Add to a counter."""
        self._add({key(counted, labels): by})

    def observe(self, counted: Counted, value: float, *labels: str) -> None:
        """Add a value to a histogram."""
        bucket = bisect_left(counted.buckets, value)
        self._add({key(counted, labels, f"bucket{bucket}"): 1, key(counted, labels, "sum"): value})

    def close(self) -> None:
        """Hand on what is left."""
        self._stopped.set()
        self._hand_on_all()

    def _add(self, amounts: Mapping[str, float]) -> None:
        with self._lock:
            for name, amount in amounts.items():
                self._amounts[name] = self._amounts.get(name, 0) + amount
            if self._thread is None and not self._stopped.is_set():
                self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._stopped.wait(HAND_ON_S):
            self._hand_on_all()

    def _hand_on_all(self) -> None:
        with self._lock:
            amounts, self._amounts = self._amounts, {}
        if amounts and not self._hand_on(amounts):
            with self._lock:
                for name, amount in amounts.items():
                    self._amounts[name] = self._amounts.get(name, 0) + amount


def key(counted: Counted, labels: tuple[str, ...], part: str = "") -> str:
    """Under what an amount is added up: the name, the labels' values, and which part of a histogram it is."""
    return "|".join((counted.name, part, *labels))
