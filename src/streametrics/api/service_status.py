"""Tells how the whole service is, for an operator's page: readiness, workers, queues, disk. Nothing about any job."""

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field

from streametrics import __version__
from streametrics.api.model_name import model_name
from streametrics.api.readiness import ReadinessChecks
from streametrics.concurrency.ttl_cache import AsyncTtlCache
from streametrics.domain.job import QueueName
from streametrics.errors import DatabaseUnavailable, StorageUnavailable
from streametrics.jobs.connections import Connections
from streametrics.redis.worker_registry import RegisteredWorker

#: How long one look counts for all who ask, in seconds.
STATUS_VALID_S = 1.0


class HealthCheck(BaseModel):
    """One of the checks of `/health/ready`."""

    name: str = Field(examples=["database"])
    ok: bool
    detail: str = Field(description="What is wrong and what to do, for people.", examples=["answers"])


class LiveWorker(BaseModel):
    """A worker process that is there."""

    stage: Literal["transcribe", "summarize"]
    ready: bool
    engine: str | None = Field(
        description="Which Whisper engine, of one that transcribes.", examples=["openai-whisper-fast"]
    )
    model: str | None = Field(description="Which Whisper model, of one that transcribes.", examples=["base"])
    precision: str | None = Field(examples=["int8"])
    summarizer: str | None = Field(description="Who writes, of one that summarizes.", examples=["ollama"])


class WaitingQueue(BaseModel):
    """What waits for a worker in one queue; a recording in parts counts once for each of its parts."""

    name: str = Field(examples=["live"])
    waiting: int = Field(ge=0)
    oldest_s: float = Field(ge=0, description="How long the oldest has waited; 0 where nothing waits.")


class DiskSpace(BaseModel):
    """The disk that uploads are kept on."""

    free_bytes: int | None = Field(description="Null while it cannot be read.")
    total_bytes: int | None


class ModelServer(BaseModel):
    """The server whose model writes summaries."""

    ok: bool
    condition: str | None = Field(
        description="`unreachable`, `model_missing`, `cold`, `warming`, `warm`, `working` or `failing`; null while it "
        "cannot be asked.",
        examples=["working"],
    )
    detail: str


class ServiceStatus(BaseModel):
    """How the service is, about a second old."""

    version: str = Field(examples=["1.0.0"])
    ready: bool = Field(description="Whether jobs are taken and finished.")
    status: Literal["ready", "warming", "not_ready"]
    checks: list[HealthCheck]
    workers: list[LiveWorker] = Field(description="Empty while the queue does not answer.")
    queues: list[WaitingQueue] | None = Field(description="Null while the database is away.")
    storage: DiskSpace
    model_server: ModelServer | None = Field(description="Null while another check does not come to its end.")


class ServiceStatusReader:
    """Reads how the service is: one look a second, however many ask. The checks are those of `/health/ready`."""

    def __init__(self, connections: Connections, health: ReadinessChecks) -> None:
        self._connections = connections
        self._health = health
        self._found = AsyncTtlCache(self._look, STATUS_VALID_S)

    async def read(self) -> ServiceStatus:
        """Tell how the service is; what is away is null or empty, and a check says so."""
        answer = await self._health.answer()
        readiness: dict[str, Any] = json.loads(answer.body)
        checks: dict[str, dict[str, Any]] = readiness["checks"]
        server = checks.get("model_server")
        return ServiceStatus(
            version=__version__,
            ready=answer.status_code == 200,
            status=readiness["status"],
            checks=[HealthCheck(name=name, ok=each["ok"], detail=each["detail"]) for name, each in checks.items()],
            model_server=None if server is None else ModelServer.model_validate({"condition": None} | server),
            **await self._found.get(),
        )

    def _look(self) -> Mapping[str, Any]:
        workers = sorted(self._connections.registry.workers(), key=lambda worker: (worker.stage, worker.name))
        return {
            "workers": [_worker(worker) for worker in workers],
            "queues": self._queues(),
            "storage": self._storage(),
        }

    def _queues(self) -> list[WaitingQueue] | None:
        try:
            found = self._connections.backlog.by_queue()
        except DatabaseUnavailable:
            return None
        return [
            WaitingQueue(name=name.value, waiting=found[name].count, oldest_s=round(found[name].oldest_s, 1))
            for name in QueueName
        ]

    def _storage(self) -> DiskSpace:
        try:
            audio = self._connections.audio
            return DiskSpace(free_bytes=audio.free_bytes(), total_bytes=audio.total_bytes())
        except StorageUnavailable:
            return DiskSpace(free_bytes=None, total_bytes=None)


def _worker(worker: RegisteredWorker) -> LiveWorker:
    model = worker.facts.get("model")
    return LiveWorker.model_validate(
        {
            "stage": worker.stage,
            "ready": worker.ready,
            "engine": worker.facts.get("engine"),
            "model": None if model is None else model_name(model),
            "precision": worker.facts.get("precision"),
            "summarizer": worker.facts.get("summarizer"),
        }
    )
