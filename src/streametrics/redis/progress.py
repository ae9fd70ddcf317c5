"""Publishes a running job's progress: a bounded log of events, and a snapshot for polls."""

import json
import logging

import redis

from streametrics.domain.job import JobState, Snapshot
from streametrics.redis.client import EXPIRES_S, UNUSABLE, RedisClient, encodable, job_key
from streametrics.redis.job_versions import new_version, version_key

#: The most events kept of one job; a reader that is further behind takes the snapshot.
MAX_EVENTS = 500

#: Order of the states within one job; a snapshot never goes back.
_RANK = {state: rank for rank, state in enumerate(JobState)}

#: Writes event, snapshot and job version together, and only if they are news: an older attempt is refused, and within
#: a state neither per cent nor the transcript ever shrinks, whichever of a recording's parts reports last. Of a
#: cancelled job nothing is kept, for its worker may still be reporting. Event ids are `<attempt>-<sequence>`.
_PUBLISH = """
if redis.call('EXISTS', KEYS[4]) == 1 then return 0 end
if redis.call('TYPE', KEYS[2]).ok ~= 'hash' then redis.call('DEL', KEYS[2]) end
local old = redis.call('HMGET', KEYS[2], 'attempt', 'rank', 'progress', 'seq', 'transcription')
local attempt, rank, progress, transcription = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[9]
local seq = 1
local old_attempt, old_rank = tonumber(old[1]), tonumber(old[2])
local old_progress, old_seq = tonumber(old[3]), tonumber(old[4])
-- What no snapshot of ours holds counts as none.
if old_attempt and old_rank and old_progress and old_seq and old_attempt >= 0 and old_attempt < 1e6 and old_rank >= 0
    and old_rank < 10 and old_progress >= 0 and old_progress <= 100 and old_seq > 0 and old_seq < 1e12 then
  if attempt < old_attempt or rank < old_rank then return 0 end
  if attempt == old_attempt then seq = old_seq + 1 end
  if old_progress > progress then progress = old_progress end
  if attempt == old_attempt and rank == old_rank and #(old[5] or '') > #transcription then transcription = old[5] end
end
redis.call('HSET', KEYS[2], 'attempt', attempt, 'rank', rank, 'progress', progress, 'seq', seq, 'body', ARGV[4],
           'transcription', transcription)
redis.call('EXPIRE', KEYS[2], ARGV[5])
redis.call('SET', KEYS[3], ARGV[8], 'EX', ARGV[5])
for try = 1, 2 do
  local added = redis.pcall('XADD', KEYS[1], 'MAXLEN', '~', ARGV[6], attempt .. '-' .. seq,
                            'state', ARGV[7], 'progress', progress)
  if type(added) ~= 'table' or not added.err then break end
  redis.call('DEL', KEYS[1])
end
redis.call('EXPIRE', KEYS[1], ARGV[5])
return seq
"""

#: Reads a snapshot's fields; refuses what is longer than any of ours, so that it fills no memory.
_READ = """
local fields = {'progress', 'body', 'transcription'}
for index, field in ipairs(fields) do
  if redis.call('HSTRLEN', KEYS[1], field) > tonumber(ARGV[index]) then return redis.error_reply('ERR too long') end
end
return redis.call('HMGET', KEYS[1], unpack(fields))
"""
#: The most bytes of a snapshot's progress, body and transcription: twelve hours of speech have less than one million.
_MOST_BYTES = (8, 1 << 20, 16 << 20)
#: No estimate is longer, in seconds.
_MOST_ETA_S = 7 * 86_400.0

logger = logging.getLogger(__name__)


class JobProgress:
    """Publishes and reads the progress of jobs, and tells workers of cancelled ones. Thread-safe."""

    def __init__(self, client: RedisClient) -> None:
        self._client = client
        self._script = client.commands.register_script(_PUBLISH)
        self._read = client.commands.register_script(_READ)

    def publish(self, task_id: str, attempt: int, snapshot: Snapshot) -> None:
        """Publish where the job stands, in one round trip."""
        body = json.dumps(
            {
                "state": snapshot.state,
                "partial_summary": snapshot.partial_summary,
                "eta_s": snapshot.eta_s,
            }
        )
        try:
            self._script(
                keys=[_events_key(task_id), _snapshot_key(task_id), version_key(task_id), _cancelled_key(task_id)],
                args=[
                    attempt,
                    _RANK[snapshot.state],
                    snapshot.progress,
                    body,
                    EXPIRES_S,
                    MAX_EVENTS,
                    snapshot.state,
                    new_version(),
                    snapshot.transcription or "",
                ],
            )
        except UNUSABLE as error:
            logger.warning("progress not published: %s", error)

    def snapshot(self, task_id: str) -> Snapshot | None:
        """Read a job's last snapshot; None where there is none, none of ours, or Redis does not answer."""
        key = _snapshot_key(task_id)
        try:
            progress, body, transcription = self._read(keys=[key], args=list(_MOST_BYTES))
            return None if progress is None or body is None else _parsed(progress, body, transcription or "")
        except (redis.ConnectionError, redis.TimeoutError) as error:
            logger.warning("no snapshot: %s", error)
        except UNUSABLE as error:
            self._client.tell_of_garbage(key, error)
        return None

    def forget(self, task_id: str) -> None:
        """Delete a job's events and snapshot, once it has ended for good."""
        try:
            self._client.commands.delete(_events_key(task_id), _snapshot_key(task_id))
        except redis.RedisError as error:
            logger.warning("snapshot not dropped, it expires by itself: %s", error)

    def cancel(self, task_id: str) -> None:
        """Tell whoever works on this job to stop, and delete its events and snapshot.

        Only a hint: without Redis they learn it from the row, when they renew their lease.
        """
        try:
            pipeline = self._client.commands.pipeline()
            pipeline.set(_cancelled_key(task_id), 1, ex=EXPIRES_S)
            pipeline.delete(_events_key(task_id), _snapshot_key(task_id))
            pipeline.execute()
        except redis.RedisError as error:
            logger.warning("workers not told of the cancelled job, they look at its row: %s", error)

    def is_cancelled(self, task_id: str) -> bool:
        """Tell whether `cancel` was called; False where Redis does not know."""
        try:
            return bool(self._client.commands.exists(_cancelled_key(task_id)))
        except redis.RedisError:
            return False


def _parsed(progress: str, body: str, transcription: str) -> Snapshot:
    """Parse a snapshot's fields. Raises one of `UNUSABLE`."""
    match json.loads(body):
        case {
            "state": str() as state,
            "partial_summary": str() | None as summary,
            "eta_s": float() | int() | None as eta_s,
        } if not isinstance(eta_s, bool):
            return Snapshot(
                JobState(state),
                int(progress),
                encodable(transcription) or None,
                summary if summary is None else encodable(summary),
                eta_s if eta_s is not None and 0 <= eta_s <= _MOST_ETA_S else None,
            )
    raise ValueError("a stored snapshot has no 'state', 'partial_summary' and 'eta_s'")


def _snapshot_key(task_id: str) -> str:
    return job_key(task_id, "now")


def _cancelled_key(task_id: str) -> str:
    return job_key(task_id, "cancelled")


def _events_key(task_id: str) -> str:
    return job_key(task_id, "events")
