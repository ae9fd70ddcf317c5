"""Renders `/metrics` in Prometheus' text format: what was counted, and what waits at this moment."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from streametrics.database.backlog import Backlog
from streametrics.domain.job import QueueName
from streametrics.jobs.connections import Connections
from streametrics.observability.metrics import DEFINITIONS, MetricDefinition
from streametrics.redis.worker_registry import RegisteredWorker

CONTENT_TYPE = CONTENT_TYPE_LATEST
#: How long one page counts for all who ask, in seconds.
PAGE_VALID_S = 1.0


def page(connections: Connections) -> bytes:
    """Read everything and render the page. Raises DatabaseUnavailable."""
    return render(connections.counters.sums(), connections.backlog.by_queue(), connections.registry.workers())


def render(
    counts: Mapping[str, float], waiting: Mapping[QueueName, Backlog], workers: Iterable[RegisteredWorker]
) -> bytes:
    """Render the page. counts: the sums of all processes, by `metrics.key`."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families([*_counted(counts), *_waiting(waiting), _workers(workers)]))
    return generate_latest(registry)


class _Families(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return iter(self._families)


def _counted(counts: Mapping[str, float]) -> Iterator[Metric]:
    amounts: dict[str, dict[tuple[str, ...], dict[str, float]]] = {}
    known = {definition.name: len(definition.labels) for definition in DEFINITIONS}
    for name, amount in counts.items():
        metric, _, rest = name.partition("|")
        part, *labels = rest.split("|")
        # What stands in Redis may be anybody's: what is no count of ours is left out.
        if known.get(metric) == len(labels):
            amounts.setdefault(metric, {}).setdefault(tuple(labels), {})[part] = amount
    for counted in DEFINITIONS:
        of_this = amounts.get(counted.name, {})
        if not counted.labels:
            of_this.setdefault((), {})
        yield _histogram(counted, of_this) if counted.buckets else _counter(counted, of_this)


def _counter(counted: MetricDefinition, amounts: Mapping[tuple[str, ...], Mapping[str, float]]) -> Metric:
    family = CounterMetricFamily(counted.name, counted.help, labels=counted.labels)
    for labels, parts in sorted(amounts.items()):
        family.add_metric(labels, parts.get("", 0.0))
    return family


def _histogram(counted: MetricDefinition, amounts: Mapping[tuple[str, ...], Mapping[str, float]]) -> Metric:
    family = HistogramMetricFamily(counted.name, counted.help, labels=counted.labels)
    limits = [*map(str, map(float, counted.buckets)), "+Inf"]
    for labels, parts in sorted(amounts.items()):
        sums = accumulate(parts.get(f"bucket{number}", 0.0) for number in range(len(limits)))
        family.add_metric(labels, buckets=list(zip(limits, sums, strict=True)), sum_value=parts.get("sum", 0.0))
    return family


def _waiting(waiting: Mapping[QueueName, Backlog]) -> Iterator[Metric]:
    count = GaugeMetricFamily(
        "streametrics_jobs_waiting", "Jobs, and parts of recordings, that no worker has taken yet.", labels=["queue"]
    )
    oldest = GaugeMetricFamily(
        "streametrics_oldest_waiting_seconds",
        "Age of what has waited longest; 0 where nothing waits.",
        labels=["queue"],
    )
    for queue, backlog in waiting.items():
        count.add_metric([queue], backlog.count)
        oldest.add_metric([queue], backlog.oldest_s)
    yield from (count, oldest)


def _workers(workers: Iterable[RegisteredWorker]) -> Metric:
    family: Any = GaugeMetricFamily(
        "streametrics_workers", "Worker processes that are there, by stage and readiness.", labels=["stage", "ready"]
    )
    found: dict[tuple[str, str], int] = {}
    for worker in workers:
        state = (worker.stage, str(worker.ready).lower())
        found[state] = found.get(state, 0) + 1
    for labels, count in sorted(found.items()):
        family.add_metric(labels, count)
    return family  # type: ignore[no-any-return]
