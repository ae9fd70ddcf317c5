"""Recovers what dead workers held, and sends again messages that got lost."""

import logging
import time

from streametrics.database.leases import ExpiredLease
from streametrics.domain.job import QueueName, WakeUp
from streametrics.errors import JobFailed, TimedOut, WorkerLost
from streametrics.jobs import lease_holder
from streametrics.jobs.broker import QUEUES
from streametrics.jobs.connections import Connections
from streametrics.jobs.lifecycle import JobLifecycle
from streametrics.observability import metrics
from streametrics.observability.logging import about_job

#: A task begins so much before its claim at most, and with it the limit that ends a stuck process, in seconds.
LIMITS_APART_S = 5.0
#: Wake-ups sent again in one round at most.
RESEND_LIMIT = 100

logger = logging.getLogger(__name__)


class Recovery:
    """One round after another; `in_worker` as `maintenance.Keeper` has it."""

    def __init__(self, connections: Connections, lifecycle: JobLifecycle, *, in_worker: bool) -> None:
        self._held = connections
        self._jobs = lifecycle
        self._in_worker = in_worker
        self._settings = connections.settings
        #: Claims whose process lives and does not renew them.
        self._stuck: set[tuple[str, int | None, int]] = set()
        #: Wake-ups sent again, and when.
        self._sent_again: dict[WakeUp, float] = {}

    def round(self) -> None:
        """Free what dead workers held, and send again what got lost."""
        database_id = self._held.records.database_id()
        if not self._in_worker:
            self._held.registry.announce_database(database_id)
        elif self._held.registry.announced_database() not in (None, database_id):
            return
        leases = self._held.leases.expired()
        if self._in_worker:
            leases = [expired for expired in leases if lease_holder.is_of_this_host(expired.held_by)]
        self._stuck &= {_name(expired) for expired in leases}
        for expired in leases:
            with about_job(expired.wake_up.task_id):
                self._settle(expired)
        self._resend_lost()

    def _settle(self, expired: ExpiredLease) -> None:
        """One lease that ran out: again, or the end."""
        if expired.overdue or self._was_stuck_to_its_deadline(expired):
            self._fail(expired, TimedOut(f"The job took longer than {self._settings.task_time_limit_s:.0f} s."))
        elif lease_holder.runs_here(expired.held_by):
            self._wait_for_the_stuck(expired)
        elif expired.tries >= self._settings.max_attempts:
            self._fail(expired, WorkerLost())
        elif self._held.leases.free(expired):
            self._jobs.metrics.count(metrics.LEASES_EXPIRED, expired.wake_up.stage)
            logger.warning("event=lease_expired attempt=%d tries=%d", expired.attempt, expired.tries)
            self._jobs.wake(expired.wake_up)

    def _wait_for_the_stuck(self, expired: ExpiredLease) -> None:
        """A process that lives and renews nothing: another one would only be stuck beside it."""
        if _name(expired) not in self._stuck:
            self._stuck.add(_name(expired))
            logger.warning("event=stuck held_by=%s time_left_s=%.0f", expired.held_by, expired.time_left_s)

    def _was_stuck_to_its_deadline(self, expired: ExpiredLease) -> bool:
        """Celery's limit may have ended the process by now, which is a little before the claim's."""
        is_stuck = _name(expired) in self._stuck
        if is_stuck and not lease_holder.runs_here(expired.held_by):
            return expired.time_left_s <= LIMITS_APART_S
        return expired.time_left_s <= 0 and (is_stuck or lease_holder.runs_here(expired.held_by))

    def _fail(self, expired: ExpiredLease, error: JobFailed) -> None:
        if self._jobs.fail_expired(expired, error):
            self._jobs.metrics.count(metrics.LEASES_EXPIRED, expired.wake_up.stage)
            logger.error("event=failed code=%s tries=%d", error.code, expired.tries)

    def _resend_lost(self) -> None:
        """A waiting row whose message is in no queue will wait for ever unless it is sent again.

        Which messages are lost cannot be seen, only how many: where a queue holds fewer messages than rows wait for
        it, the oldest rows are sent again, as many as are missing. Messages that a worker has taken do not count: a
        live one has claimed the row, which waits no more, and what a dead one took comes back after minutes only. A
        message too many does no harm, and fills the gap, so that there are never many.
        """
        lengths = self._held.redis.queue_lengths(QUEUES)
        if lengths is None:
            return
        self._forget_what_was_sent_long_ago()
        for name, backlog in self._held.waiting.by_queue().items():
            if (missing := backlog.count - lengths[name]) > 0:
                self._resend(name, missing)

    def _resend(self, queue: QueueName, missing: int) -> None:
        overdue = self._held.waiting.overdue(queue, self._settings.resend_after_s, RESEND_LIMIT)
        for wake_up in [each for each in overdue if each not in self._sent_again][:missing]:
            with about_job(wake_up.task_id):
                logger.warning("event=sent_again stage=%s", wake_up.stage)
                self._jobs.wake(wake_up)
            self._jobs.metrics.count(metrics.SENT_AGAIN, queue)
            self._sent_again[wake_up] = time.monotonic()

    def _forget_what_was_sent_long_ago(self) -> None:
        since = time.monotonic() - self._settings.resend_after_s
        self._sent_again = {wake_up: sent for wake_up, sent in self._sent_again.items() if sent > since}


def _name(expired: ExpiredLease) -> tuple[str, int | None, int]:
    return expired.wake_up.task_id, expired.part_index, expired.attempt
