"""Registers worker processes by their heartbeats, so that readiness can be told and a start knows when it is over."""

import json
import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass

import redis

from streametrics.concurrency.background import background_parts
from streametrics.concurrency.periodic import PeriodicThread
from streametrics.concurrency.processes import is_alive
from streametrics.redis.client import RedisClient

#: Between two heartbeats, and after how long without one a worker counts as gone, in seconds.
INTERVAL_S, EXPIRES_S = 3.0, 10.0
#: The fact that names the background parts of a worker process which do not run.
BACKGROUND = "background"
#: How long a stopping process waits for a heartbeat that is on its way, in seconds.
STOP_S = 2.0

_DATABASE_ID = "streametrics:database_id"
_WORKERS = "streametrics:worker:"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RegisteredWorker:
    """A worker process whose heartbeat has not expired; `facts` are for people and for `/health/ready`."""

    name: str
    stage: str
    ready: bool
    facts: dict[str, str]


class WorkerRegistry:
    """Keeps which worker processes are there, and which database the API writes to. Thread-safe."""

    def __init__(self, client: RedisClient) -> None:
        self._client = client

    def announce(self, worker: RegisteredWorker, *, expires_s: float) -> None:
        """Write a worker's heartbeat; to be repeated before it expires."""
        value = json.dumps({"stage": worker.stage, "ready": worker.ready, "facts": worker.facts})
        try:
            self._client.commands.set(_WORKERS + worker.name, value, px=int(expires_s * 1000))
        except redis.RedisError as error:
            logger.warning("heartbeat not written: %s", error)

    def withdraw(self, name: str) -> None:
        """Remove a worker process that has stopped."""
        try:
            self._client.commands.delete(_WORKERS + name)
        except redis.RedisError as error:
            logger.warning("worker not withdrawn, its heartbeat expires by itself: %s", error)

    def workers(self) -> list[RegisteredWorker]:
        """List the worker processes that are there; empty when Redis does not answer."""
        found: list[RegisteredWorker] = []
        try:
            names = list(self._client.commands.scan_iter(match=_WORKERS + "*", count=1000))
            values = self._client.commands.mget(names) if names else []
        except redis.RedisError:
            return []
        for name, value in zip(names, values, strict=True):
            if value is not None:
                found.append(RegisteredWorker(name=name.removeprefix(_WORKERS), **json.loads(value)))
        return found

    def announce_database(self, database_id: str) -> None:
        """Write which database the API uses, so that a worker on another one refuses to start."""
        try:
            self._client.commands.set(_DATABASE_ID, database_id)
        except redis.RedisError as error:
            logger.warning("database not announced: %s", error)

    def announced_database(self) -> str | None:
        """Read which database the API uses, if one has said so."""
        try:
            value = self._client.commands.get(_DATABASE_ID)
        except redis.RedisError:
            return None
        return value if isinstance(value, str) else None


class WorkerHeartbeat:
    """Writes this process's heartbeat every few seconds, with whether it is ready."""

    def __init__(self, registry: WorkerRegistry, stage: str) -> None:
        self._registry = registry
        self._name = f"{stage}@{socket.gethostname()}:{os.getpid()}"
        self._stage = stage
        self._ready = False
        self._facts: Callable[[], dict[str, str]] = dict
        self._thread = PeriodicThread("heartbeat", self._announce, INTERVAL_S)

    def start(self) -> None:
        """Begin the heartbeat, as not ready yet."""
        self._announce_now()
        self._thread.start()

    def ready(self, facts: Callable[[], dict[str, str]]) -> None:
        """Mark this process as ready; the facts are for people, and asked for at each heartbeat."""
        self._ready, self._facts = True, facts
        self._announce_now()

    def failed(self, reason: str) -> None:
        """Mark this process as unable to work, with the reason."""
        self._ready, self._facts = False, lambda: {"error": reason}
        self._announce_now()

    def stop(self) -> None:
        """End the heartbeat and withdraw at once."""
        self._thread.stop(wait_s=STOP_S)  # a last heartbeat must not come after the withdrawal
        self._registry.withdraw(self._name)

    def _announce_now(self) -> None:
        try:
            self._announce()
        except Exception:
            logger.exception("heartbeat not written; the next one tries again")

    def _announce(self) -> None:
        """Write the heartbeat. Raises what the facts raise, after it is written: without it, this process is gone."""
        facts: dict[str, str] = {}
        failure: Exception | None = None
        try:
            facts = self._facts()
        except Exception as error:  # noqa: BLE001 - raised below
            failure = error
        if trouble := background_parts.trouble():
            facts = facts | {BACKGROUND: trouble}
        self._registry.announce(RegisteredWorker(self._name, self._stage, self._ready, facts), expires_s=EXPIRES_S)
        if failure is not None:
            raise failure


class BackgroundReport:
    """Tells what does not run in a process without heartbeat of its own; silent while all runs."""

    def __init__(self, registry: WorkerRegistry, stage: str) -> None:
        self._registry, self._stage = registry, stage
        self._name = f"{stage}@{socket.gethostname()}:{os.getpid()}"
        self._is_told = False
        self._thread = PeriodicThread("background report", self._report, INTERVAL_S)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking, and withdraw what was told."""
        self._thread.stop(wait_s=STOP_S)
        if self._is_told:
            self._registry.withdraw(self._name)

    def _report(self) -> None:
        if trouble := background_parts.trouble():
            worker = RegisteredWorker(self._name, self._stage, False, {BACKGROUND: trouble})
            self._registry.announce(worker, expires_s=EXPIRES_S)
            self._is_told = True
        elif self._is_told:
            self._registry.withdraw(self._name)
            self._is_told = False


def withdraw_dead_workers(registry: WorkerRegistry) -> None:
    """Withdraw the processes of this host that are gone. Not for Windows, where the question would kill them.

    A killed process cannot withdraw, and the queue keeps its heartbeat on disk: a start right after it would take
    the dead worker for its own, and call itself ready before its model is.
    """
    for worker in registry.workers():
        host, _, pid = worker.name.partition("@")[2].rpartition(":")
        if host == socket.gethostname() and not is_alive(int(pid)):
            registry.withdraw(worker.name)
