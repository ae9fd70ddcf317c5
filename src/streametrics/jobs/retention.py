"""Erases expired results, ends jobs that nobody takes, deletes audio that no job needs."""

import logging

from streametrics.concurrency.time_gaps import TimeGaps
from streametrics.database.redaction import Redacted
from streametrics.database.stream_erasure import Retained
from streametrics.errors import TimedOut
from streametrics.jobs.connections import Connections
from streametrics.jobs.hiding import StoredWords
from streametrics.jobs.lifecycle import JobLifecycle
from streametrics.observability.logging import about_job

#: Audio that no unfinished job needs is deleted at this age, in seconds.
ORPHAN_AGE_S = 900.0
#: For how long a call with an Idempotency-Key can be repeated, in seconds: a day, as is usual.
IDEMPOTENCY_KEY_AGE_S = 86_400.0
#: The most batches of erased words that one round deletes; the next one goes on.
MOST_BATCHES = 200
DAY_S = 86_400

logger = logging.getLogger(__name__)


class Retention:
    """Erases what need not be kept, in rounds. gaps: no wait and no age counts while the machine slept."""

    def __init__(self, connections: Connections, lifecycle: JobLifecycle, *, gaps: TimeGaps) -> None:
        self._connections = connections
        self._jobs = lifecycle
        self._gaps = gaps
        self._settings = connections.settings

    def round(self) -> None:
        """Erase expired results, fail jobs that nobody takes, delete orphaned audio."""
        erased = sum(
            self._connections.records.erase_expired(self._settings.keep_s(is_kept), is_kept=is_kept)
            for is_kept in (False, True)
        )
        forgotten = self._connections.records.delete_tombstones(self._settings.tombstone_days * 86_400)
        if erased or forgotten:
            logger.info("event=expired erased=%d forgotten=%d", erased, forgotten)
        self._connections.idempotent_calls.delete_older_than(IDEMPOTENCY_KEY_AGE_S)
        self._fail_unclaimed()
        self._delete_orphans()
        self._end_and_erase_streams()

    def _fail_unclaimed(self) -> None:
        limit_s = self._settings.wait_limit_s
        # Nobody could take a job while the machine slept.
        waited_s = limit_s + self._gaps.slept_s(limit_s)
        for task_id in self._connections.backlog.longer_than(waited_s):
            error = TimedOut(
                f"No worker took this job for {limit_s / 3600:.3g} hour(s): start one "
                "('python -m streametrics worker'), then send the audio again."
            )
            with about_job(task_id):
                if self._jobs.fail_waiting(task_id, error):
                    logger.error("event=failed code=%s waited_s=%.0f", error.code, limit_s)

    def _delete_orphans(self) -> None:
        # The folder first: a key that a job takes afterwards is too young to be listed.
        old = list(self._jobs.audio.keys_older_than(ORPHAN_AGE_S + self._gaps.slept_s(ORPHAN_AGE_S)))
        if not old:
            return
        needed = self._connections.records.keys_in_use()
        for key in old:
            if key not in needed:
                logger.info("event=orphan_deleted")
                self._jobs.audio.delete(key)

    def _end_and_erase_streams(self) -> None:
        idle_s = self._settings.stream_idle_min * 60
        # No chunk could come while the machine slept.
        streams = self._connections.stream_erasure
        streams.end_idle(idle_s + self._gaps.slept_s(idle_s))
        kept = Retained(
            words_s=self._settings.stream_transcript_days * DAY_S,
            stream_s=max(self._settings.stream_recap_days, self._settings.stream_transcript_days) * DAY_S,
        )
        for number in self._connections.redaction.all_pending():
            self._stop(self._connections.redaction.carry_out(number))
        StoredWords(self._connections).hide_all()
        batches = MOST_BATCHES
        for number, is_whole in streams.due(kept):
            if is_whole:
                streams.erase(number)
            while batches and streams.delete_erased(number, is_whole=is_whole):
                batches -= 1
        streams.delete_recaps(self._settings.stream_recap_days * DAY_S)
        streams.delete_tombstones(self._settings.tombstone_days * DAY_S)
        if self._connections.stream_search.compact():
            logger.info("event=stream_index_compacted")

    def _stop(self, redacted: Redacted) -> None:
        for task_id, audio_key in redacted.stopped.items():
            self._connections.progress.cancel(task_id)
            self._connections.delete_audio(audio_key)
