"""What is counted, and how Prometheus reads it: its own parser looks at the page."""

import threading
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from streametrics.api import prometheus
from streametrics.database.backlog import Backlog
from streametrics.domain.job import QueueName
from streametrics.observability import metrics
from streametrics.observability.metrics import Metrics
from streametrics.redis.worker_registry import RegisteredWorker
from tests.support.stack import until


class Sums:
    """The sums of all processes, that can be away."""

    def __init__(self) -> None:
        self.amounts: dict[str, float] = {}
        self.is_there = True
        self._lock = threading.Lock()

    def add(self, amounts: Mapping[str, float]) -> bool:
        with self._lock:
            if self.is_there:
                for name, amount in amounts.items():
                    self.amounts[name] = self.amounts.get(name, 0) + amount
            return self.is_there


def read(
    sums: Sums, waiting: dict[QueueName, Backlog] | None = None, workers: tuple[RegisteredWorker, ...] = ()
) -> dict[str, float]:
    """Each sample of the page, by its name with its labels."""
    page = prometheus.render(sums.amounts, waiting or {}, workers).decode()
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(page):
        assert family.name.startswith("streametrics_")
        assert family.documentation and family.type in ("counter", "gauge", "histogram")
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_a_page_before_anything_happened_can_be_read() -> None:
    assert read(Sums())["streametrics_jobs_erased_total"] == 0


def test_counts_of_several_processes_are_one_sum() -> None:
    sums = Sums()
    for _ in range(2):
        process = Metrics(sums.add)
        process.count(metrics.ENDED, "error", "worker_lost")
        process.count(metrics.AUDIO, by=29.5)
        process.close()
    page = read(sums)
    assert page["streametrics_jobs_ended_total{code=worker_lost,state=error}"] == 2
    assert page["streametrics_audio_seconds_total"] == 59


def test_a_histogram_is_cumulative_and_ends_in_infinity() -> None:
    sums = Sums()
    process = Metrics(sums.add)
    for value in (0.5, 0.6, 1000.0):
        process.observe(metrics.STAGE, value, "transcribe")
    process.close()
    page = read(sums)

    def below(limit: str) -> float:
        return page[f"streametrics_stage_seconds_bucket{{le={limit},stage=transcribe}}"]

    assert [below(limit) for limit in ("0.5", "1.0", "600.0", "+Inf")] == [1, 2, 2, 3]
    assert page["streametrics_stage_seconds_count{stage=transcribe}"] == 3
    assert page["streametrics_stage_seconds_sum{stage=transcribe}"] == 1001.1


def test_what_cannot_be_handed_on_is_kept_and_nothing_is_counted_twice() -> None:
    sums = Sums()
    sums.is_there = False
    process = Metrics(sums.add)
    process.count(metrics.ERASED)
    process._flush_all()
    assert sums.amounts == {}

    sums.is_there = True
    process.count(metrics.ERASED)
    # Expect the process to hand it on by itself
    until(lambda: read(sums)["streametrics_jobs_erased_total"] == 2, within_s=10, what="it is handed on")
    process.close()
    assert read(sums)["streametrics_jobs_erased_total"] == 2


def test_what_waits_and_who_is_there_is_told_as_it_is_now() -> None:
    waiting = {QueueName.LIVE: Backlog(3, 12.5), QueueName.LONG: Backlog()}
    workers = (
        RegisteredWorker("a", "transcribe", True, {}),
        RegisteredWorker("b", "transcribe", True, {}),
        RegisteredWorker("c", "summarize", False, {}),
    )
    page = read(Sums(), waiting, workers)
    assert page["streametrics_jobs_waiting{queue=live}"] == 3
    assert page["streametrics_oldest_waiting_seconds{queue=live}"] == 12.5
    assert page["streametrics_oldest_waiting_seconds{queue=long}"] == 0
    assert page["streametrics_workers{ready=true,stage=transcribe}"] == 2
    assert page["streametrics_workers{ready=false,stage=summarize}"] == 1


def test_every_name_follows_the_conventions() -> None:
    for counted in metrics.DEFINITIONS:
        assert not counted.name.endswith("_total"), "the exposition adds it"
        assert counted.help.endswith(".")
