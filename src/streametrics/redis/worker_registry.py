"""A worker process says that it is there, so that readiness can be told and a start knows when it is over."""

import json
import logging
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass

import redis

from streametrics.redis.client import RedisClient

#: Between two signs of life, and after how long without one a worker counts as gone, in seconds.
INTERVAL_S, EXPIRES_S = 3.0, 10.0
#: How long a stopping process waits for a sign of life that is on its way, in seconds.
STOP_S = 2.0

_DATABASE_ID = "streametrics:database_id"
_WORKERS = "streametrics:worker:"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RegisteredWorker:
    """A worker process that said lately that it is there; `facts` are for people and for `/health/ready`."""

    name: str
    stage: str
    ready: bool
    facts: dict[str, str]


class WorkerRegistry:
    """Which worker processes are there, and which database the API writes to. Thread-safe."""

    def __init__(self, client: RedisClient) -> None:
        self._client = client

    def announce(self, heartbeat: RegisteredWorker, *, expires_s: float) -> None:
        """Say that a worker process is there; to be repeated before it expires."""
        value = json.dumps({"stage": heartbeat.stage, "ready": heartbeat.ready, "facts": heartbeat.facts})
        try:
            self._client.commands.set(_WORKERS + heartbeat.name, value, px=int(expires_s * 1000))
        except redis.RedisError as error:
            logger.warning("presence not announced: %s", error)

    def withdraw(self, name: str) -> None:
        """Say that a worker process has stopped."""
        try:
            self._client.commands.delete(_WORKERS + name)
        except redis.RedisError as error:
            logger.warning("presence not withdrawn, it expires by itself: %s", error)

    def workers(self) -> list[RegisteredWorker]:
        """Every worker process that is there; empty when Redis does not answer."""
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
        """The API says which database it writes to, so that a worker on another one refuses to start."""
        try:
            self._client.commands.set(_DATABASE_ID, database_id)
        except redis.RedisError as error:
            logger.warning("database not announced: %s", error)

    def announced_database(self) -> str | None:
        """The database that the API writes to, if one has said so."""
        try:
            value = self._client.commands.get(_DATABASE_ID)
        except redis.RedisError:
            return None
        return value if isinstance(value, str) else None


class WorkerHeartbeat:
    """Says every few seconds that this process is there, and whether it is warm."""

    def __init__(self, registry: WorkerRegistry, stage: str) -> None:
        self._registry = registry
        self._name = f"{stage}@{socket.gethostname()}:{os.getpid()}"
        self._stage = stage
        self._ready = False
        self._facts: Callable[[], dict[str, str]] = dict
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin to announce, as not ready yet."""
        self._announce()
        self._thread.start()

    def ready(self, facts: Callable[[], dict[str, str]]) -> None:
        """From here on this process can work; the facts are for people, and asked for each time."""
        self._ready, self._facts = True, facts
        self._announce()

    def failed(self, reason: str) -> None:
        """This process cannot work, and why."""
        self._ready, self._facts = False, lambda: {"error": reason}
        self._announce()

    def stop(self) -> None:
        """Withdraw at once."""
        self._stopped.set()
        self._thread.join(STOP_S)  # its last word must not come after the withdrawal
        self._registry.withdraw(self._name)

    def _run(self) -> None:
        while not self._stopped.wait(INTERVAL_S):
            self._announce()

    def _announce(self) -> None:
        heartbeat = RegisteredWorker(self._name, self._stage, self._ready, self._facts())
        self._registry.announce(heartbeat, expires_s=EXPIRES_S)


def withdraw_dead_workers(registry: WorkerRegistry) -> None:
    """Withdraw the processes of this host that are gone. Not for Windows, where the question would kill them.

    A killed process cannot withdraw, and the queue keeps its word on disk: a start right after it would take
    the dead worker for its own, and call itself ready before its model is.
    """
    for worker in registry.workers():
        host, _, pid = worker.name.partition("@")[2].rpartition(":")
        if host == socket.gethostname() and not _is_alive(int(pid)):
            registry.withdraw(worker.name)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
