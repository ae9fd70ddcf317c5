"""What nobody else does: leases that ran out, lost messages, overdue jobs, expired results, orphaned audio.

A thread of the API process. Several may run at once, on several hosts: each change is one conditional write,
so a second keeper finds nothing left to do.
"""

import logging
import threading

from streametrics.errors import JobFailed, TimedOut, WorkerLost
from streametrics.jobs import Jobs
from streametrics.logs import about_job
from streametrics.queue import QUEUES
from streametrics.store.claims import ExpiredLease

#: Audio that no unfinished job needs is deleted at this age, in seconds.
ORPHAN_AGE_S = 900.0
#: The slow rounds (expiry, orphans) are made once in so many quick ones.
SLOW_ROUNDS = 15
#: Wake-ups sent again in one round at most.
RESEND_LIMIT = 100

logger = logging.getLogger(__name__)


class Keeper:
    """Runs a round every `keeper_interval_s` until it is stopped."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._settings = jobs.settings
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Begin to keep."""
        self._thread.start()

    def stop(self) -> None:
        """End after the present round."""
        self._stopped.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        rounds = 0
        while not self._stopped.wait(self._settings.keeper_interval_s):
            try:
                self.quick_round()
                if rounds % SLOW_ROUNDS == 0:
                    self.slow_round()
            except Exception:
                # The keeper must outlive whatever goes wrong in one round.
                logger.exception("a keeper's round failed; the next one tries again")
            rounds += 1

    def quick_round(self) -> None:
        """Free what dead workers held, and send again what got lost."""
        self._jobs.live.announce_database(self._jobs.records.database_id())
        for expired in self._jobs.claims.expired_leases():
            with about_job(expired.wake_up.task_id):
                self._settle(expired)
        self._resend_lost()

    def slow_round(self) -> None:
        """Erase what has expired, delete what nobody needs."""
        erased = self._jobs.records.erase_expired(self._settings.result_ttl_s)
        forgotten = self._jobs.records.delete_tombstones(self._settings.tombstone_days * 86_400)
        if erased or forgotten:
            logger.info("event=expired erased=%d forgotten=%d", erased, forgotten)
        self._delete_orphans()

    def _settle(self, expired: ExpiredLease) -> None:
        """One lease that ran out: again, or the end."""
        if expired.overdue:
            self._fail(expired, TimedOut(f"The job took longer than {self._settings.task_time_limit_s:.0f} s."))
        elif expired.tries >= self._settings.max_attempts:
            self._fail(expired, WorkerLost())
        elif self._jobs.claims.free(expired):
            logger.warning("event=lease_expired attempt=%d tries=%d", expired.attempt, expired.tries)
            self._jobs.wake(expired.wake_up)

    def _fail(self, expired: ExpiredLease, error: JobFailed) -> None:
        logger.error("event=failed code=%s tries=%d", error.code, expired.tries)
        if self._jobs.claims.free(expired):
            self._jobs.fail(expired.wake_up.task_id, error)

    def _resend_lost(self) -> None:
        """A waiting row whose message is in no queue will wait for ever unless it is sent again.

        There may be a message for it still; a second one is harmless, so the rule may be rough: when fewer
        messages wait than rows do, the oldest rows are sent again, as many as are missing.
        """
        waiting = self._jobs.records.overdue_wake_ups(self._settings.resend_after_s, RESEND_LIMIT)
        if not waiting:
            return
        messages = self._jobs.live.messages_waiting(QUEUES)
        if messages is None:
            return
        lost = waiting[: max(0, len(waiting) - messages)]
        for wake_up in lost:
            with about_job(wake_up.task_id):
                logger.warning("event=sent_again stage=%s", wake_up.stage)
                self._jobs.wake(wake_up)
        self._jobs.records.mark_sent(lost)

    def _delete_orphans(self) -> None:
        # The folder first: a key that a job takes afterwards is too young to be listed.
        old = list(self._jobs.audio.keys_older_than(ORPHAN_AGE_S))
        if not old:
            return
        needed = self._jobs.records.keys_in_use()
        for key in old:
            if key not in needed:
                logger.info("event=orphan_deleted")
                self._jobs.audio.delete(key)
