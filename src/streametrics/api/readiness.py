"""Checks whether the service can do its work, with what is missing and what to do about it."""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from streametrics.api.model_name import model_name
from streametrics.concurrency.background import background_parts
from streametrics.concurrency.ttl_cache import AsyncTtlCache, TtlCache
from streametrics.domain.job import QueueName, Stage
from streametrics.errors import DatabaseUnavailable, StorageUnavailable
from streametrics.jobs.connections import Connections
from streametrics.llm.base import Condition, ModelHealth
from streametrics.redis.worker_registry import BACKGROUND, RegisteredWorker
from streametrics.summarization.base import Summarizer

#: How long one answer counts for all who ask, in seconds: it is open to everybody, and costs several queries.
READY_VALID_S = 1.0
#: After so long, in seconds, who asks is told which check does not come to its end.
READY_LIMIT_S = 4.0
#: How long a check of the model server counts, in seconds: many may ask for readiness.
MODEL_SERVER_VALID_S = 5.0
#: A live job that waits longer than this shows that the workers do not keep up, whatever they say of themselves.
STALLED_AFTER_S = 60.0
#: Between two checks of a queue that seems to stand still: a worker may be between two jobs at the first, in seconds.
RECHECK_AFTER_S = 0.3

#: The queues that a stage's workers empty.
_QUEUES = {
    Stage.TRANSCRIBE: (QueueName.LIVE, QueueName.LONG),
    Stage.SUMMARIZE: (QueueName.SUMMARIZE,),
}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class RenderedReadiness:
    """The answer to `GET /health/ready` as it goes over the wire."""

    status_code: int
    body: bytes


class ReadinessChecks:
    """Checks every part of the service. Thread-safe."""

    def __init__(self, connections: Connections, summarizer: Summarizer) -> None:
        self._connections = connections
        self._model_server = TtlCache(summarizer.health, MODEL_SERVER_VALID_S)
        self._shared = AsyncTtlCache(self._render, READY_VALID_S)
        self._running = ""
        self._told_last: RenderedReadiness | None = None
        self._told: set[object] = set()

    async def answer(self, client: object = None) -> "RenderedReadiness":
        """Tell what `ready` tells, about a second old at most: one look a second, however many ask.

        client: identifies a connection; one that asks again before there is another answer waits for that, so that
        clients in a loop cost nothing. None: never waits.
        """
        answer = await self._latest()
        if client is not None and answer is self._told_last and client in self._told:
            await asyncio.sleep(READY_VALID_S)
            answer = await self._latest()
        if answer is not self._told_last:
            self._told_last, self._told = answer, set()
        self._told.add(client)
        return answer

    async def _latest(self) -> "RenderedReadiness":
        try:
            async with asyncio.timeout(READY_LIMIT_S):
                return await self._shared.get()
        except TimeoutError:
            detail = f"This check does not come to its end within {READY_LIMIT_S:.0f} s."
            return _rendered(False, {"status": "not_ready", "checks": {self._running: {"ok": False, "detail": detail}}})

    def _render(self) -> "RenderedReadiness":
        return _rendered(*self.ready())

    def ready(self) -> tuple[bool, dict[str, Any]]:
        """Tell whether jobs are taken and finished, with the body of `GET /health/ready`."""
        workers: list[RegisteredWorker] = []
        checks = {
            "database": self._check("database", self._database),
            "queue": self._check("queue", lambda: self._queue(workers)),
            "storage": self._check("storage", self._storage),
            "transcribe_worker": self._check("transcribe_worker", lambda: self._worker(workers, Stage.TRANSCRIBE)),
            "summarise_worker": self._check("summarise_worker", lambda: self._worker(workers, Stage.SUMMARIZE)),
            "model_server": self._check("model_server", lambda: self._model_server_check(workers)),
            "background": self._check("background", lambda: _background(workers)),
        }
        needed = [check for name, check in checks.items() if name != "model_server" or self._model_is_a_must()]
        ok = all(check["ok"] for check in needed)
        warming = any(check.get("warming") for check in (checks["model_server"], *needed))
        status = "warming" if warming else "ready" if ok else "not_ready"
        return ok, {"status": status, "checks": checks}

    def _check(self, name: str, check: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Run one check; one that fails says so, and takes no other with it."""
        self._running = name
        try:
            return check()
        except Exception as error:
            logger.exception("readiness: the check '%s' failed", name)
            return {"ok": False, "detail": f"This cannot be checked ({type(error).__name__}): the log says why."}

    def _model_is_a_must(self) -> bool:
        return self._connections.settings.summary_fallback == "error"

    def _database(self) -> dict[str, Any]:
        try:
            self._connections.database.require_whole()
            waited_s = self._connections.backlog.by_queue()[QueueName.LIVE].oldest_s
        except DatabaseUnavailable as error:
            return {"ok": False, "detail": str(error)}
        if waited_s > STALLED_AFTER_S:
            detail = f"A live job has waited for {waited_s:.0f} s: the workers do not keep up, or do not consume."
            return {"ok": False, "detail": detail}
        return {"ok": True, "detail": "answers"}

    def _storage(self) -> dict[str, Any]:
        try:
            self._connections.audio.require_usable()
        except StorageUnavailable as error:
            return {"ok": False, "detail": str(error)}
        return {"ok": True, "detail": "takes uploads"}

    def _worker(self, workers: list[RegisteredWorker], stage: Stage) -> dict[str, Any]:
        """Check a stage by its workers' heartbeats, unless the rows show that none of them claims anything."""
        said = _worker(workers, stage)
        if not said["ok"]:
            return said
        try:
            waited_s = self._waits_in_vain_s(stage)
            if waited_s > 0:
                time.sleep(RECHECK_AFTER_S)
                waited_s = self._waits_in_vain_s(stage)
        except DatabaseUnavailable:
            return said  # the database's own check tells it
        if waited_s == 0:
            return said
        detail = f"A worker is there, but work waits for {waited_s:.0f} s and nobody takes it: start the worker again."
        return said | {"ok": False, "detail": detail}

    def _waits_in_vain_s(self, stage: Stage) -> float:
        """Tell how long something has waited while nothing of this stage is worked on; 0 where that is soon or not so.

        A lost message is sent again after RESEND_AFTER_S; six times that is soon, on a busy machine too.
        """
        backlogs = self._connections.backlog.by_queue()
        waited_s = max(backlogs[queue].oldest_s for queue in _QUEUES[stage])
        if waited_s <= 6 * self._connections.settings.resend_after_s or self._connections.backlog.in_work()[stage] > 0:
            return 0.0
        return waited_s

    def _queue(self, workers: list[RegisteredWorker]) -> dict[str, Any]:
        """Check the queue, and read from it which workers are there, for the checks that follow."""
        if (reason := self._connections.registry.other_service) is not None:
            return {"ok": False, "detail": reason}
        if self._connections.redis.answers():
            workers += self._connections.registry.workers()
            return {"ok": True, "detail": "answers"}
        return {"ok": False, "detail": "The queue does not answer: start Redis or Valkey, or correct REDIS_URL."}

    def _model_server_check(self, workers: list[RegisteredWorker]) -> dict[str, Any]:
        """Check the model server, by what this process sees and by what the workers learned from their calls."""
        health = self._model_server.get()
        condition, detail = _with_what_workers_know(health, workers)
        check = {
            "ok": health.has_model and condition is not Condition.FAILING,
            "condition": condition,
            "detail": detail,
        }
        return check | ({"warming": True} if condition is Condition.WARMING else {})


def _with_what_workers_know(health: ModelHealth, workers: list[RegisteredWorker]) -> tuple[Condition, str]:
    """Prefer what workers found: a server lists its models while generation hangs, which only its callers notice."""
    theirs = {
        worker.facts["model_server"]: worker.facts.get("model_server_detail", "")
        for worker in workers
        if "model_server" in worker.facts
    }
    news = {
        Condition.COLD: (Condition.FAILING, Condition.WARMING),
        Condition.WARM: (Condition.FAILING, Condition.WARMING, Condition.WORKING),
    }
    for condition in news.get(health.condition, ()):
        if condition in theirs:
            return condition, theirs[condition]
    return health.condition, health.detail


def _rendered(ok: bool, body: dict[str, Any]) -> RenderedReadiness:
    return RenderedReadiness(200 if ok else 503, json.dumps(body, separators=(",", ":")).encode())


def _background(workers: list[RegisteredWorker]) -> dict[str, Any]:
    """Check what runs on its own in this process, and in the workers by what their heartbeats say."""
    found = {"API": background_parts.trouble()}
    for worker in workers:
        if BACKGROUND in worker.facts:
            found[f"{worker.stage} worker"] = worker.facts[BACKGROUND]
    troubles = "; ".join(f"{where}: {trouble}" for where, trouble in found.items() if trouble)
    if troubles:
        return {"ok": False, "detail": f"This does not run, the log says why. {troubles}"}
    return {"ok": True, "detail": "runs"}


def _worker(workers: list[RegisteredWorker], stage: Stage) -> dict[str, Any]:
    mine = [worker for worker in workers if worker.stage == stage]
    for worker in mine:
        if worker.ready:
            facts = {name: text for name, text in worker.facts.items() if name not in ("ok", "detail", "warming")}
            if "model" in facts:
                facts["model"] = model_name(facts["model"])
            return {"ok": True, "detail": f"{len(mine)} at work", **facts}
    for worker in mine:
        if "error" in worker.facts:
            return {"ok": False, "detail": worker.facts["error"]}
    if mine:
        return {"ok": False, "warming": True, "detail": "The model is being loaded."}
    return {"ok": False, "detail": "No worker has been seen: start one with 'python -m streametrics worker'."}
