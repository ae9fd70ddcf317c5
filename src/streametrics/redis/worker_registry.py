"""Registers worker processes by their heartbeats, so that readiness can be told and a start knows when it is over."""

import json
import logging
import os
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import redis

from streametrics.concurrency.background import background_parts
from streametrics.concurrency.periodic import PeriodicThread
from streametrics.concurrency.processes import is_alive
from streametrics.domain.job import Stage
from streametrics.redis.client import UNUSABLE, RedisClient, printable

#: Between two heartbeats, and after how long without one a worker counts as gone, in seconds.
INTERVAL_S, EXPIRES_S = 3.0, 10.0
#: The fact that names the background parts of a worker process which do not run.
BACKGROUND = "background"
#: How long a stopping process waits for a heartbeat that is on its way, in seconds.
STOP_S = 2.0

#: The stages of which heartbeats are known.
STAGES = frozenset(stage.value for stage in Stage)
#: The most workers that are looked at, bytes of a heartbeat, facts in it, characters of each, and bytes of an id.
MAX_WORKERS, MAX_HEARTBEAT_BYTES, MAX_FACTS, MAX_FACT, MAX_ID_BYTES = 1000, 16_384, 32, 500, 200

#: After how long without its word a service counts as gone, in seconds.
SERVICE_EXPIRES_S = 15.0
OTHER_DATABASE = (
    "The queue (REDIS_URL, QUEUE_PORT) belongs to another StreaMetrics, which runs on another database: give each one "
    "a queue of its own, or both the same DATABASE_URL and DATA_DIR. (One that was just killed is forgotten after "
    f"{SERVICE_EXPIRES_S:.0f} s.)"
)
OTHER_AUDIO_STORE = (
    "Another API on this queue (REDIS_URL) and database (DATABASE_URL) keeps its uploads elsewhere, so that workers "
    "would not find those of this one: give both the same DATA_DIR, on a disk that both reach. (One that was just "
    f"killed is forgotten after {SERVICE_EXPIRES_S:.0f} s.)"
)

_DATABASE_ID = "streametrics:database_id"
_AUDIO_STORE_ID = "streametrics:audio_store_id"
_SERVICE = "streametrics:service"
_WORKERS = "streametrics:worker:"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RegisteredWorker:
    """A worker process whose heartbeat has not expired; `facts` are for people and for `/health/ready`."""

    name: str
    stage: str
    ready: bool
    facts: dict[str, str]


@dataclass(frozen=True, slots=True)
class ServiceIds:
    """What a service keeps its jobs in: the ids of its database and of its audio store."""

    database: str
    audio_store: str


@dataclass(frozen=True, slots=True)
class AnnouncedIds:
    """What an API has said of itself, if any has."""

    database: str | None
    audio_store: str | None


class WorkerRegistry:
    """Keeps which worker processes are there, and which database the API writes to. Thread-safe."""

    def __init__(self, client: RedisClient) -> None:
        self._client = client
        #: Why the last `announce_service` wrote nothing; None where it did.
        self.other_service: str | None = None

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
        try:
            keys = list(islice(self._client.commands.scan_iter(match=_WORKERS + "*", count=1000), MAX_WORKERS))
            values = self._client.bounded_values(keys, MAX_HEARTBEAT_BYTES) if keys else []
        except UNUSABLE:
            return []
        found: list[RegisteredWorker] = []
        for key, value in zip(keys, values, strict=True):
            try:
                if value is not None:
                    found.append(_parsed(key.removeprefix(_WORKERS), value))
            except UNUSABLE as error:
                self._client.tell_of_garbage(key, error)
        return found

    def announce_service(self, mine: ServiceIds, *, expires_s: float = SERVICE_EXPIRES_S) -> bool:
        """Write which database and audio store the API uses; False, and nothing written, while another service does.

        To be repeated before it expires. Workers go by the last one that was written, which does not expire.
        """
        self.other_service = self._other_service(mine)
        if self.other_service is not None:
            return False
        try:
            pipeline = self._client.commands.pipeline(transaction=False)
            pipeline.set(_SERVICE, f"{mine.database} {mine.audio_store}", px=int(expires_s * 1000))
            pipeline.set(_DATABASE_ID, mine.database)
            pipeline.set(_AUDIO_STORE_ID, mine.audio_store)
            pipeline.execute()
        except UNUSABLE as error:
            logger.warning("database and audio store not announced: %s", error)
        return True

    def withdraw_service(self, mine: ServiceIds) -> None:
        """Say that this service has stopped, so that another one may start on this queue at once."""
        try:
            if self._live_service() == mine:
                self._client.commands.delete(_SERVICE)
        except UNUSABLE as error:
            logger.warning("service not withdrawn, its word expires by itself: %s", error)

    def announced(self) -> AnnouncedIds:
        """Read which database and audio store the API uses; None for what no API has said."""
        try:
            return AnnouncedIds(*self._client.bounded_values([_DATABASE_ID, _AUDIO_STORE_ID], MAX_ID_BYTES))
        except UNUSABLE:
            return AnnouncedIds(None, None)

    def _other_service(self, mine: ServiceIds) -> str | None:
        try:
            theirs = self._live_service()
        except UNUSABLE:
            return None
        if theirs is None or theirs == mine:
            return None
        return OTHER_DATABASE if theirs.database != mine.database else OTHER_AUDIO_STORE

    def _live_service(self) -> ServiceIds | None:
        [value] = self._client.bounded_values([_SERVICE], MAX_ID_BYTES)
        found = re.fullmatch("([0-9a-f-]{32,36}) ([0-9a-f]{32})", value or "")
        return ServiceIds(found[1], found[2]) if found is not None else None


def _parsed(name: str, value: str) -> RegisteredWorker:
    """Parse a heartbeat. Raises one of `UNUSABLE`."""
    match json.loads(value):
        case {"stage": str() as stage, "ready": bool() as ready, "facts": dict() as facts} if stage in STAGES:
            known = {
                printable(str(fact), MAX_FACT): printable(text, MAX_FACT)
                for fact, text in islice(facts.items(), MAX_FACTS)
                if isinstance(text, str)
            }
            return RegisteredWorker(printable(name, MAX_FACT), stage, ready, known)
    raise ValueError("a heartbeat has no 'stage', 'ready' and 'facts'")


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
        # No name of ours has another form; a number that is no process's would reach whole groups of them.
        is_ours = re.fullmatch("[1-9][0-9]{0,8}", pid) is not None
        if host == socket.gethostname() and is_ours and not is_alive(int(pid)):
            registry.withdraw(worker.name)
