"""How the service is, as `/v1/status` tells it: what is away is null or empty, and no path of the machine is told."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from streametrics import __version__
from streametrics.api.model_name import model_name
from streametrics.api.readiness import ReadinessChecks
from streametrics.api.service_status import ServiceStatus, ServiceStatusReader
from streametrics.database.backlog import Backlog
from streametrics.domain.job import QueueName, Stage
from streametrics.errors import DatabaseUnavailable, StorageUnavailable
from streametrics.jobs.connections import Connections
from streametrics.llm.base import Condition, ModelHealth
from streametrics.redis.worker_registry import RegisteredWorker
from streametrics.settings import Settings
from streametrics.summarization.fake import FakeSummarizer

WAITING = dict.fromkeys(QueueName, Backlog()) | {QueueName.LIVE: Backlog(3, 12.34)}


class Service:
    """What the status looks at, with how often it did."""

    def __init__(self, *, waiting: object = WAITING, away: Exception | None = None) -> None:
        self.looks = 0
        self.away = away
        self.waiting = waiting
        facts = {"engine": "faster-whisper", "model": "/home/ada/secret/ours.pt", "precision": "int8"}
        workers = [
            RegisteredWorker("summarize@here:2", "summarize", True, {"summarizer": "ollama"}),
            RegisteredWorker("transcribe@here:1", "transcribe", True, facts),
        ]
        held = SimpleNamespace(
            settings=Settings(_env_file=None),
            registry=SimpleNamespace(workers=lambda: workers, other_service=None),
            redis=SimpleNamespace(answers=lambda: True),
            database=SimpleNamespace(require_whole=lambda: None),
            audio=SimpleNamespace(require_usable=self._look, free_bytes=self._bytes, total_bytes=self._bytes),
            backlog=SimpleNamespace(by_queue=self._backlog, in_work=lambda: dict.fromkeys(Stage, 0)),
        )
        connections = cast(Connections, held)
        writer = FakeSummarizer(report=ModelHealth(Condition.WARM, "It is warm."))
        self.reader = ServiceStatusReader(connections, ReadinessChecks(connections, writer))

    def _look(self) -> None:
        if isinstance(self.away, StorageUnavailable):
            raise self.away

    def _bytes(self) -> int:
        self.looks += 1
        self._look()
        return 4096

    def _backlog(self) -> object:
        if isinstance(self.away, DatabaseUnavailable):
            raise self.away
        return self.waiting

    def status(self) -> ServiceStatus:
        return asyncio.run(self.reader.read())


def test_it_tells_all_that_an_operators_page_needs() -> None:
    body: dict[str, Any] = Service().status().model_dump()
    assert (body["version"], body["ready"], body["status"]) == (__version__, True, "ready")
    assert {check["name"] for check in body["checks"]} >= {"database", "queue", "storage", "model_server"}
    nothing = dict.fromkeys(("engine", "model", "precision"))
    assert body["workers"] == [
        {"stage": "summarize", "ready": True, **nothing, "summarizer": "ollama"},
        {
            "stage": "transcribe",
            "ready": True,
            "engine": "faster-whisper",
            "model": "ours",
            "precision": "int8",
            "summarizer": None,
        },
    ]
    assert body["queues"] == [
        {"name": "live", "waiting": 3, "oldest_s": 12.3},
        {"name": "long", "waiting": 0, "oldest_s": 0.0},
        {"name": "summarise", "waiting": 0, "oldest_s": 0.0},
    ]
    assert body["storage"] == {"free_bytes": 4096, "total_bytes": 4096}
    assert body["model_server"] == {"ok": True, "condition": "warm", "detail": "It is warm."}


def test_what_is_away_is_null_and_a_check_says_so() -> None:
    database = Service(away=DatabaseUnavailable()).status()
    assert database.queues is None and not database.ready and database.workers
    [check] = [check for check in database.checks if check.name == "database"]
    assert not check.ok and "does not answer" in check.detail
    disk = Service(away=StorageUnavailable()).status()
    assert disk.storage.free_bytes is None and disk.queues is not None and not disk.ready


def test_a_hundred_who_ask_at_once_are_one_look() -> None:
    service = Service()

    async def ask() -> None:
        await asyncio.gather(*(service.reader.read() for _ in range(100)))

    asyncio.run(ask())
    assert service.looks == 2, "free and whole"


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("base", "base"),
        ("large-v3", "large-v3"),
        ("/srv/models/ours.pt", "ours"),
        ("~/models/ours/", "ours"),
        (r"C:\models\ours.pt", "ours"),
        ("/", "whisper"),
    ],
)
def test_a_model_has_a_name_and_no_address(model: str, name: str) -> None:
    assert model_name(model) == name
