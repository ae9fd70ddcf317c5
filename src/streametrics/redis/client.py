"""What a job says of itself while it runs: a bounded stream of events and a snapshot for polls, in Redis.

All of it may vanish at any time; the rows say what holds for good. So a Redis that does not answer is a
line in the log here, never an error of a job.
"""

import json
import logging
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import redis

from streametrics.domain.job import JobState, Snapshot

#: How long a call may take before Redis counts as down, in seconds: a poll answers from the row within 3 s.
TIMEOUT_S = 1.0
#: Snapshots and events outlive a job's work by this much at most, in seconds.
EXPIRES_S = 3600
#: Events kept of one job; a reader that is further behind takes the snapshot.
MAX_EVENTS = 500

_DATABASE_ID = "streametrics:database_id"
_WORKERS = "streametrics:worker:"
_COUNTS = "streametrics:counts"

#: Part of every job's stamp: a write that may have changed any of them needs one key.
EVERY_JOB_STAMP = "streametrics:jobs:stamp"

#: Order of the states within one job; a snapshot never goes back.
_RANK = {state: rank for rank, state in enumerate(JobState)}

#: Writes event, snapshot and stamp together, and only if they are news: an older attempt is refused, and within a state
#: neither per cent nor the transcript ever shrinks, whichever of a recording's parts reports last. Of a cancelled job
#: nothing is kept, for its worker may still be talking. Event ids are `<attempt>-<sequence>`.
_PUBLISH = """
if redis.call('EXISTS', KEYS[4]) == 1 then return 0 end
local old = redis.call('HMGET', KEYS[2], 'attempt', 'rank', 'progress', 'seq', 'transcription')
local attempt, rank, progress, transcription = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[9]
local seq = 1
if old[1] then
  local old_attempt, old_rank = tonumber(old[1]), tonumber(old[2])
  if attempt < old_attempt or rank < old_rank then return 0 end
  if attempt == old_attempt then seq = tonumber(old[4]) + 1 end
  if tonumber(old[3]) > progress then progress = tonumber(old[3]) end
  if attempt == old_attempt and rank == old_rank and #(old[5] or '') > #transcription then transcription = old[5] end
end
redis.call('HSET', KEYS[2], 'attempt', attempt, 'rank', rank, 'progress', progress, 'seq', seq, 'body', ARGV[4],
           'transcription', transcription)
redis.call('EXPIRE', KEYS[2], ARGV[5])
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[6], attempt .. '-' .. seq,
           'state', ARGV[7], 'progress', progress)
redis.call('EXPIRE', KEYS[1], ARGV[5])
redis.call('SET', KEYS[3], ARGV[8], 'EX', ARGV[5])
return seq
"""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerPresence:
    """A worker process that said lately that it is there; `facts` are for people and for `/health/ready`."""

    name: str
    stage: str
    ready: bool
    facts: dict[str, str]


class Live:
    """The door to Redis. Thread-safe."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(
            url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, decode_responses=True
        )
        self._publish = self._redis.register_script(_PUBLISH)

    def publish(self, task_id: str, attempt: int, snapshot: Snapshot) -> None:
        """Tell pollers and readers where the job stands, in one round trip."""
        body = json.dumps(
            {
                "state": snapshot.state,
                "partial_summary": snapshot.partial_summary,
                "eta_s": snapshot.eta_s,
            }
        )
        try:
            self._publish(
                keys=[_events_key(task_id), _snapshot_key(task_id), stamp_key(task_id), _cancelled_key(task_id)],
                args=[
                    attempt,
                    _RANK[snapshot.state],
                    snapshot.progress,
                    body,
                    EXPIRES_S,
                    MAX_EVENTS,
                    snapshot.state,
                    new_stamp(),
                    snapshot.transcription or "",
                ],
            )
        except redis.RedisError as error:
            logger.warning("progress not published: %s", error)

    def snapshot(self, task_id: str) -> Snapshot | None:
        """The last word of a job in work; None where there is none, or Redis does not answer."""
        try:
            progress, body, transcription = self._redis.hmget(
                _snapshot_key(task_id), "progress", "body", "transcription"
            )
        except redis.RedisError as error:
            logger.warning("no snapshot: %s", error)
            return None
        if progress is None or body is None:
            return None
        fields: dict[str, Any] = json.loads(body)
        return Snapshot(
            state=JobState(fields["state"]),
            progress=int(progress),
            transcription=str(transcription) if transcription else None,
            partial_summary=fields["partial_summary"],
            eta_s=fields["eta_s"],
        )

    def forget(self, task_id: str) -> None:
        """Drop what is known of a job, once it has ended for good."""
        try:
            self._redis.delete(_events_key(task_id), _snapshot_key(task_id))
        except redis.RedisError as error:
            logger.warning("snapshot not dropped, it expires by itself: %s", error)

    def touch(self, task_ids: Collection[str] | None) -> None:
        """Give these jobs (None: all of them) a new stamp, after their rows were written.

        Whoever keeps an answer under the old stamp reads anew. A touch that gets lost makes that later, for nothing
        is kept for long.
        """
        keys = [EVERY_JOB_STAMP] if task_ids is None else [stamp_key(task_id) for task_id in task_ids]
        expires_s = None if task_ids is None else EXPIRES_S
        try:
            pipeline = self._redis.pipeline(transaction=False)
            for key in keys:
                pipeline.set(key, new_stamp(), ex=expires_s)
            pipeline.execute()
        except redis.RedisError as error:
            logger.warning("stamp not changed: %s", error)

    def cancel(self, task_id: str) -> None:
        """Tell whoever works on this job to stop, and drop what is known of it.

        Only a hint: without Redis they learn it from the row, when they renew their lease.
        """
        try:
            pipeline = self._redis.pipeline()
            pipeline.set(_cancelled_key(task_id), 1, ex=EXPIRES_S)
            pipeline.delete(_events_key(task_id), _snapshot_key(task_id))
            pipeline.execute()
        except redis.RedisError as error:
            logger.warning("workers not told of the cancelled job, they look at its row: %s", error)

    def is_cancelled(self, task_id: str) -> bool:
        """Whether `cancel` was called; False where Redis does not know."""
        try:
            return bool(self._redis.exists(_cancelled_key(task_id)))
        except redis.RedisError:
            return False

    def answers(self) -> bool:
        """Whether Redis answers now."""
        try:
            return bool(self._redis.ping())
        except redis.RedisError:
            return False

    def queue_lengths(self, queues: tuple[str, ...]) -> dict[str, int] | None:
        """Messages in each queue, without those that a worker has taken; None when Redis does not answer."""
        try:
            pipeline = self._redis.pipeline(transaction=False)
            for queue in queues:
                pipeline.llen(queue)
            return dict(zip(queues, map(int, pipeline.execute()), strict=True))
        except redis.RedisError:
            return None

    # What is counted

    def add_counts(self, amounts: Mapping[str, float]) -> bool:
        """Add to the sums of all processes; False where Redis does not answer."""
        try:
            pipeline = self._redis.pipeline(transaction=False)
            for name, amount in amounts.items():
                pipeline.hincrbyfloat(_COUNTS, name, amount)
            pipeline.execute()
        except redis.RedisError:
            return False
        return True

    def counts(self) -> dict[str, float]:
        """The sums; empty when Redis does not answer."""
        try:
            return {str(name): float(amount) for name, amount in self._redis.hgetall(_COUNTS).items()}
        except redis.RedisError:
            return {}

    # Who is there

    def announce(self, presence: WorkerPresence, *, expires_s: float) -> None:
        """Say that a worker process is there; to be repeated before it expires."""
        value = json.dumps({"stage": presence.stage, "ready": presence.ready, "facts": presence.facts})
        try:
            self._redis.set(_WORKERS + presence.name, value, px=int(expires_s * 1000))
        except redis.RedisError as error:
            logger.warning("presence not announced: %s", error)

    def withdraw(self, name: str) -> None:
        """Say that a worker process has stopped."""
        try:
            self._redis.delete(_WORKERS + name)
        except redis.RedisError as error:
            logger.warning("presence not withdrawn, it expires by itself: %s", error)

    def workers(self) -> list[WorkerPresence]:
        """Every worker process that is there; empty when Redis does not answer."""
        found: list[WorkerPresence] = []
        try:
            names = list(self._redis.scan_iter(match=_WORKERS + "*", count=1000))
            values = self._redis.mget(names) if names else []
        except redis.RedisError:
            return []
        for name, value in zip(names, values, strict=True):
            if value is not None:
                found.append(WorkerPresence(name=name.removeprefix(_WORKERS), **json.loads(value)))
        return found

    def announce_database(self, database_id: str) -> None:
        """The API says which database it writes to, so that a worker on another one refuses to start."""
        try:
            self._redis.set(_DATABASE_ID, database_id)
        except redis.RedisError as error:
            logger.warning("database not announced: %s", error)

    def announced_database(self) -> str | None:
        """The database that the API writes to, if one has said so."""
        try:
            value = self._redis.get(_DATABASE_ID)
        except redis.RedisError:
            return None
        return value if isinstance(value, str) else None

    def close(self) -> None:
        self._redis.close()


def new_stamp() -> str:
    """Never used before, not even by a Redis that has lost its memory and begins to count anew."""
    return secrets.token_hex(8)


def stamp_key(task_id: str) -> str:
    """Where a job's stamp is kept: it is another one after each change of what is told of the job."""
    return f"streametrics:job:{{{task_id}}}:stamp"


def _snapshot_key(task_id: str) -> str:
    # The braces keep a job's keys on one node of a Redis cluster, where one script may touch both.
    return f"streametrics:job:{{{task_id}}}:now"


def _cancelled_key(task_id: str) -> str:
    return f"streametrics:job:{{{task_id}}}:cancelled"


def _events_key(task_id: str) -> str:
    return f"streametrics:job:{{{task_id}}}:events"
