"""Frees the expired leases of dead workers, and sends lost task messages again."""

import logging
import time

from streametrics.concurrency.time_gaps import TimeGaps
from streametrics.database.leases import ExpiredLease
from streametrics.domain.job import QueueName, TaskMessage
from streametrics.errors import AudioUnreadable, JobFailed, StreametricsError, TimedOut, WorkerLost
from streametrics.jobs import lease_holder
from streametrics.jobs.broker import QUEUES
from streametrics.jobs.connections import Connections
from streametrics.jobs.lifecycle import JobLifecycle
from streametrics.observability import metrics
from streametrics.observability.logging import about_job
from streametrics.settings import Settings

#: How much earlier than its claim a task may begin, and with it the limit that ends a stuck process, in seconds.
TASK_LIMIT_LEAD_S = 5.0
#: The most task messages sent again in one round.
RESEND_LIMIT = 100

#: In one of so many rounds the audio of what waits is looked for, of jobs that have waited for so long, in seconds.
LOST_AUDIO_ROUNDS, LOST_AUDIO_AGE_S = 5, 5.0
AUDIO_GONE = "The stored audio is gone: send it again."

#: The least gap in time that is noticed, in periods between two rounds and in seconds; a busy machine makes shorter
#: ones.
LEAST_GAP_ROUNDS, LEAST_GAP_S = 5, 5.0

logger = logging.getLogger(__name__)


def least_gap_s(settings: Settings) -> float:
    """Choose from how long a pause on the machine, or all of us, slept."""
    return max(LEAST_GAP_S, LEAST_GAP_ROUNDS * settings.maintenance_interval_s)


class Recovery:
    """Recovers what got lost, in rounds; `in_worker` as in `maintenance.Maintenance`. gaps: noted before each round."""

    def __init__(
        self, connections: Connections, lifecycle: JobLifecycle, *, in_worker: bool, gaps: TimeGaps | None = None
    ) -> None:
        self._connections = connections
        self._jobs = lifecycle
        self._in_worker = in_worker
        self._settings = connections.settings
        self._gaps = gaps or TimeGaps(least_gap_s(self._settings))
        #: Claims whose process lives and does not renew its lease.
        self._stuck: set[tuple[str, int | None, int]] = set()
        self._rounds = 0
        #: Whether this is the service that the queue belongs to.
        self._is_heard = True
        #: Task messages sent again, and when.
        self._resent: dict[TaskMessage, float] = {}

    def round(self) -> None:
        """Free the leases of dead workers, and send lost messages again."""
        if not self._in_worker:
            self._announce()
        elif self._connections.foreign_to_api(needs_audio=False):
            return
        leases = self._connections.leases.expired()
        if self._in_worker:
            leases = [expired for expired in leases if lease_holder.is_on_this_host(expired.held_by)]
        self._stuck &= {_claim_id(expired) for expired in leases}
        unsettled = 0
        for expired in leases:
            with about_job(expired.message.task_id):
                unsettled += not self._settled(expired)
        self._resend_lost()
        self._rounds += 1
        if not self._in_worker and self._is_heard and self._rounds % LOST_AUDIO_ROUNDS == 0:
            self._fail_without_audio()
        if unsettled:
            raise RuntimeError(f"{unsettled} expired leases could not be settled")

    def _settled(self, expired: ExpiredLease) -> bool:
        """Decide about one expired lease; False where that fails, which must not keep the others from it."""
        try:
            self._settle(expired)
        except StreametricsError:
            raise  # without a database none can be settled
        except Exception:
            logger.exception("this expired lease could not be settled; the next round tries again")
            return False
        return True

    def _announce(self) -> None:
        was_heard, self._is_heard = self._is_heard, self._connections.announce_service()
        if was_heard and not self._is_heard:
            logger.error("event=other_service %s", self._connections.registry.other_service)

    def _fail_without_audio(self) -> None:
        """Fail the waiting jobs whose audio is gone from the store.

        A worker that does not find it cannot tell whether it is gone or only not there; in this store it was put.
        """
        for task_id, key in self._connections.backlog.audio_waiting(LOST_AUDIO_AGE_S):
            try:
                self._connections.audio.store_id()
                is_gone = not self._connections.audio.holds(key)
            except (OSError, ValueError) as error:
                logger.warning("audio not looked for: %s", error)
                return
            if is_gone:
                with about_job(task_id):
                    if self._jobs.fail_without_audio(task_id, key, AudioUnreadable(AUDIO_GONE)):
                        logger.error("event=failed code=%s", AudioUnreadable.code)

    def _settle(self, expired: ExpiredLease) -> None:
        """Decide about one expired lease: another attempt, or the job's end.

        One that ran out while the machine slept proves nothing. Its worker, if it lives, renews it as soon as it is
        awake; if not, it is as free as any other, without counting a try.
        """
        is_overtaken = self._gaps.include(expired.age_s)
        if is_overtaken and self._gaps.awake_s < self._settings.lease_s:
            return
        if (expired.overdue and not is_overtaken) or self._was_stuck_until_deadline(expired):
            self._fail(expired, TimedOut(f"The job took longer than {self._settings.task_time_limit_s:.0f} s."))
        elif lease_holder.is_running_here(expired.held_by):
            self._note_stuck(expired)
        elif expired.tries >= self._settings.max_attempts and not is_overtaken:
            self._fail(expired, WorkerLost())
        elif self._connections.leases.free(expired, counts=not is_overtaken):
            self._jobs.metrics.count(metrics.LEASES_EXPIRED, expired.message.stage)
            logger.warning("event=lease_expired attempt=%d tries=%d", expired.attempt, expired.tries)
            self._jobs.send(expired.message)

    def _note_stuck(self, expired: ExpiredLease) -> None:
        """Remember a process that lives and renews nothing; another worker would only be stuck beside it."""
        if _claim_id(expired) not in self._stuck:
            self._stuck.add(_claim_id(expired))
            logger.warning("event=stuck held_by=%s time_left_s=%.0f", expired.held_by, expired.time_left_s)

    def _was_stuck_until_deadline(self, expired: ExpiredLease) -> bool:
        """Tell whether a stuck process reached its deadline, or Celery's limit, which ends it a little earlier."""
        # Of the time since its claim, what the machine slept does not count.
        time_left_s = expired.time_left_s + self._gaps.slept_s(self._settings.task_time_limit_s)
        is_stuck = _claim_id(expired) in self._stuck
        if is_stuck and not lease_holder.is_running_here(expired.held_by):
            return time_left_s <= TASK_LIMIT_LEAD_S
        return time_left_s <= 0 and (is_stuck or lease_holder.is_running_here(expired.held_by))

    def _fail(self, expired: ExpiredLease, error: JobFailed) -> None:
        if self._jobs.fail_expired(expired, error):
            self._jobs.metrics.count(metrics.LEASES_EXPIRED, expired.message.stage)
            logger.error("event=failed code=%s tries=%d", error.code, expired.tries)

    def _resend_lost(self) -> None:
        """Send task messages again where a queue holds fewer than rows wait for it, or they would wait for ever.

        Which messages are lost cannot be seen, only how many: where a queue holds fewer messages than rows wait for
        it, the oldest rows are sent again, as many as are missing. Messages that a worker has taken do not count: a
        live one has claimed the row, which waits no more, and what a dead one took comes back after minutes only. A
        message too many does no harm, and fills the gap, so that there are never many.
        """
        lengths = self._connections.redis.queue_lengths(QUEUES)
        if lengths is None:
            return
        self._forget_old_resends()
        # These need no message: whoever got one could claim nothing.
        held_back = {QueueName.LONG: self._connections.backlog.held_back()}
        for name, backlog in self._connections.backlog.by_queue().items():
            if (missing := backlog.count - held_back.get(name, 0) - lengths[name]) > 0:
                self._resend(name, missing)

    def _resend(self, queue: QueueName, missing: int) -> None:
        overdue = self._connections.backlog.overdue(queue, self._settings.resend_after_s, RESEND_LIMIT)
        for message in [each for each in overdue if each not in self._resent][:missing]:
            with about_job(message.task_id):
                logger.warning("event=resent stage=%s", message.stage)
                self._jobs.send(message)
            self._jobs.metrics.count(metrics.RESENT, queue)
            self._jobs.metrics.count(metrics.RESENT_BY_FORMER_NAME, queue)
            self._resent[message] = time.monotonic()

    def _forget_old_resends(self) -> None:
        since = time.monotonic() - self._settings.resend_after_s
        self._resent = {message: sent for message, sent in self._resent.items() if sent > since}


def _claim_id(expired: ExpiredLease) -> tuple[str, int | None, int]:
    return expired.message.task_id, expired.part_index, expired.attempt
