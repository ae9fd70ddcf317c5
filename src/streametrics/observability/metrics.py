"""Metrics of the service, counted in any of its processes. Counting never fails and never waits.

A process adds up what it counts and flushes it about once a second; `api/prometheus` shows the sums of all processes.
What a killed process had not flushed yet is lost, and no job with it.
"""

import logging
import threading
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from streametrics.concurrency.periodic import PeriodicThread

#: Between two flushes, in seconds.
FLUSH_INTERVAL_S = 1.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MetricDefinition:
    """The definition of a metric; `buckets` are a histogram's upper limits, a counter has none."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = field(default=())


ACCEPTED = MetricDefinition(
    "streametrics_jobs_accepted", "Jobs accepted, by kind: live, long, or redo (a summary anew).", ("kind",)
)
ENDED = MetricDefinition(
    "streametrics_jobs_ended", "Jobs that reached a final state; code says why a job ended in error.", ("state", "code")
)
ERASED = MetricDefinition("streametrics_jobs_erased", "Finished jobs whose data a client had erased.")
LEASES_EXPIRED = MetricDefinition(
    "streametrics_leases_expired", "Claims whose worker was lost: they were sent again, or ended.", ("stage",)
)
RESENT = MetricDefinition("streametrics_task_messages_resent", "Messages that were lost and sent again.", ("queue",))
#: The name of before, counted beside the new one for one version.
RESENT_BY_FORMER_NAME = MetricDefinition(
    "streametrics_wake_ups_sent_again", "Former name of streametrics_task_messages_resent.", ("queue",)
)
REFUSED = MetricDefinition(
    "streametrics_uploads_refused", "Uploads that were refused, by the code of the answer.", ("code",)
)
MODEL_FAILURES = MetricDefinition(
    "streametrics_model_failures", "Summaries for which the model server failed, retries included.", ("code",)
)
WORDS_FILTERED = MetricDefinition(
    "streametrics_words_filtered", "Words left out of transcripts as invented.", ("reason",)
)
SPEECH_UNHEARD = MetricDefinition(
    "streametrics_speech_unheard_seconds", "Speech in which no words were found, in seconds."
)
AUDIO = MetricDefinition("streametrics_audio_seconds", "Sound transcribed, in seconds of sound.")
STAGE = MetricDefinition(
    "streametrics_stage_seconds",
    "Seconds that one attempt took which ended well: an upload or a part (transcribe), a summary (summarize).",
    ("stage",),
    (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600),
)
REAL_TIME_FACTOR = MetricDefinition(
    "streametrics_real_time_factor",
    "Seconds of work for one second of sound; chunks transcribed in one batch count the whole time each.",
    (),
    (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
DEFINITIONS = (
    *(
        ACCEPTED,
        ENDED,
        ERASED,
        LEASES_EXPIRED,
        RESENT,
        RESENT_BY_FORMER_NAME,
        REFUSED,
        MODEL_FAILURES,
        WORDS_FILTERED,
        SPEECH_UNHEARD,
        AUDIO,
    ),
    *(STAGE, REAL_TIME_FACTOR),
)


class Metrics:
    """Counts metrics and flushes them. Thread-safe.

    flush: adds these amounts to the sums of all processes; False where that was not possible, and they are kept.
    """

    def __init__(self, flush: Callable[[Mapping[str, float]], bool]) -> None:
        self._flush = flush
        self._lock = threading.Lock()
        self._amounts: dict[str, float] = {}
        self._thread: PeriodicThread | None = None
        self._is_closed = False

    def count(self, metric: MetricDefinition, *labels: str, by: float = 1) -> None:
        """Add to a counter."""
        self._add({key(metric, labels): by})

    def observe(self, metric: MetricDefinition, value: float, *labels: str) -> None:
        """Add a value to a histogram."""
        bucket = bisect_left(metric.buckets, value)
        self._add({key(metric, labels, f"bucket{bucket}"): 1, key(metric, labels, "sum"): value})

    def close(self) -> None:
        """Flush what is left."""
        with self._lock:
            self._is_closed = True
            if self._thread is not None:
                self._thread.stop()
        self._flush_all()

    def _add(self, amounts: Mapping[str, float]) -> None:
        with self._lock:
            for name, amount in amounts.items():
                self._amounts[name] = self._amounts.get(name, 0) + amount
            if self._thread is None and not self._is_closed:
                thread = PeriodicThread("metrics", self._flush_all, FLUSH_INTERVAL_S)
                try:
                    thread.start()
                except RuntimeError as error:  # the system has no thread left: the next count tries again
                    thread.stop()
                    logger.warning("metrics are not flushed yet: %s", error)
                else:
                    self._thread = thread

    def _flush_all(self) -> None:
        with self._lock:
            amounts, self._amounts = self._amounts, {}
        is_flushed = False
        try:
            is_flushed = not amounts or self._flush(amounts)
        finally:
            if not is_flushed:
                self._keep(amounts)

    def _keep(self, amounts: Mapping[str, float]) -> None:
        with self._lock:
            for name, amount in amounts.items():
                self._amounts[name] = self._amounts.get(name, 0) + amount


def key(metric: MetricDefinition, labels: tuple[str, ...], part: str = "") -> str:
    """Make the key of an amount: the metric's name, the labels' values, and the part of a histogram."""
    return "|".join((metric.name, part, *labels))
