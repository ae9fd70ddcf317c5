"""The only door to a job's state: joins its rows, its live words in Redis, its audio and the queue."""

import logging
import uuid
from dataclasses import replace

from streametrics.auth.principal import LOCAL, LOCAL_OWNER, Caller, may_see
from streametrics.database.backlog import Waiting
from streametrics.database.checkpoints import Checkpoints, Ended
from streametrics.database.claims import Claims
from streametrics.database.engine import Database
from streametrics.database.erasure import Erasure
from streametrics.database.jobs import JobRecord, JobRecords
from streametrics.database.leases import ExpiredLease, Leases
from streametrics.database.notes import JobNotes
from streametrics.domain.job import Claim, JobKind, JobRequest, JobState, Snapshot, Stage, WakeUp, Warn
from streametrics.domain.status import JobResult, JobStatus
from streametrics.domain.transcript import TimeSpan, Transcript, TranscriptPart, merge_transcripts, up_to_a_gap
from streametrics.errors import (
    JobCancelled,
    JobExpired,
    JobFailed,
    JobNotReady,
    JobUnknown,
    QueueUnavailable,
    StaleAttempt,
)
from streametrics.jobs.broker import Queue
from streametrics.jobs.status_view import status_of, stored_transcript
from streametrics.observability import metrics
from streametrics.observability.metrics import Metrics
from streametrics.redis.client import RedisClient
from streametrics.redis.counters import Counters
from streametrics.redis.job_versions import JobVersions
from streametrics.redis.progress import JobProgress
from streametrics.redis.worker_registry import WorkerRegistry
from streametrics.settings import Settings
from streametrics.storage.local import AudioStore

logger = logging.getLogger(__name__)


class Jobs:
    """Accepting, claiming, checkpoints, progress and status. Thread-safe; one per process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.redis = RedisClient(settings.effective_redis_url)
        self.progress = JobProgress(self.redis)
        self.registry = WorkerRegistry(self.redis)
        self.counters = Counters(self.redis)
        self.metrics = Metrics(self.counters.add)
        self.database = Database(settings.effective_database_url, on_change=JobVersions(self.redis).touch)
        self.records = JobRecords(self.database)
        self.waiting = Waiting(self.database)
        self.claims = Claims(self.database, lease_s=settings.lease_s, deadline_s=settings.task_time_limit_s)
        self.leases = Leases(self.database, lease_s=settings.lease_s)
        self._checkpoints = Checkpoints(self.database)
        self._erasure = Erasure(self.database)
        self.audio = AudioStore(settings.data_dir / "audio")
        self.queue = Queue(settings)

    def close(self) -> None:
        """Let go of every connection."""
        self.queue.close()
        self.metrics.close()
        self.redis.close()
        self.database.close()

    # For clients

    def accept(
        self, request: JobRequest, *, kind: JobKind, audio_key: str, container: str, owner: str = LOCAL_OWNER
    ) -> str:
        """Make a job of stored audio: the row first, then its message; returns the task's id.

        Raises QueueUnavailable or DatabaseUnavailable, and then nothing is left of it, the audio included.
        """
        task_id = str(uuid.uuid4())
        try:
            self.records.insert(task_id, request, owner=owner, kind=kind, audio_key=audio_key, container=container)
        except BaseException:
            self.audio.delete(audio_key)
            raise
        try:
            self.queue.send(WakeUp(task_id, Stage.TRANSCRIBE, kind, 0))
        except BaseException:
            self.records.delete(task_id)
            self.audio.delete(audio_key)
            raise
        self.metrics.count(metrics.ACCEPTED, kind)
        return task_id

    def status(self, task_id: str, caller: Caller = LOCAL) -> JobStatus:
        """Where a job stands. Raises JobUnknown, JobExpired."""
        return self.look(task_id, caller)[1]

    def look(self, task_id: str, caller: Caller = LOCAL, *, queue_answers: bool = True) -> tuple[JobRecord, JobStatus]:
        """A job's row, and where it stands. Raises JobUnknown, JobExpired.

        queue_answers: False where the caller knows that it does not, and that asking it costs a second.
        """
        record = self._record(task_id, caller)
        waiting = record.state is JobState.QUEUED
        if waiting or record.state.is_final:
            return record, status_of(record, None)
        status = status_of(record, self.progress.snapshot(task_id) if queue_answers else None)
        if record.kind is JobKind.LONG:
            status = replace(status, notes=tuple(self.notes(task_id).timed()))
        return record, status

    def redo(
        self,
        task_id: str,
        *,
        language: str | None,
        model: str | None,
        extra_instruction: str,
        caller: Caller = LOCAL,
    ) -> str:
        """Summarise a job's transcript anew, as a job of its own; returns its id.

        Raises JobUnknown, JobExpired, JobNotReady, QueueUnavailable; nothing is left of the new job then.
        """
        record = self._record(task_id, caller)
        transcript = stored_transcript(record)
        if transcript is None:
            raise JobNotReady
        request = replace(
            record.request,
            language=language or record.request.language,
            parent_task_id=task_id,
            summary_model=model,
            extra_instruction=extra_instruction,
        )
        redone_id = str(uuid.uuid4())
        # What was wrong with the sound stays; what was wrong with the first summary does not.
        warnings = tuple(
            warning
            for warning in record.warnings
            if warning.code.startswith("audio_") or warning.code == "words_filtered"
        )
        self.records.insert_redo(redone_id, request, owner=record.owner, transcript=transcript, warnings=warnings)
        try:
            self.queue.send(WakeUp(redone_id, Stage.SUMMARIZE, JobKind.LONG, 0))
        except BaseException:
            self.records.delete(redone_id)
            raise
        self.metrics.count(metrics.ACCEPTED, "redo")
        return redone_id

    def cancel(self, task_id: str, caller: Caller = LOCAL) -> None:
        """Stop an unfinished job, which then ends as cancelled; erase a finished one, which is expired from then on.

        Harmless on a job that is cancelled or erased already. Raises JobUnknown.
        """
        record = self.records.get(task_id)
        if record is None or not may_see(caller, record.owner):
            raise JobUnknown
        erased = self._erasure.erase(task_id)
        if erased.was_stopped:
            self.progress.cancel(task_id)
            self._delete_audio(erased.audio_key)
            self.metrics.count(metrics.ENDED, "error", JobCancelled.code)
            logger.info("event=cancelled")
        elif erased.was_erased:
            self.metrics.count(metrics.ERASED)
            logger.info("event=erased")

    def _record(self, task_id: str, caller: Caller) -> JobRecord:
        record = self.records.get(task_id)
        if record is None or not may_see(caller, record.owner):
            raise JobUnknown
        # The keeper may be a moment late; the promise is the age.
        if record.erased or (record.age_s is not None and record.age_s > self.settings.result_ttl_s):
            raise JobExpired
        return record

    # For workers

    def claim(self, task_id: str, stage: Stage, worker: str, *, model_server_missing: bool = False) -> Claim | None:
        """Take what waits of this job; None when there is nothing to do."""
        return self.claims.claim(task_id, stage, worker, model_server_missing=model_server_missing)

    def claim_together(
        self, task_id: str, stage: Stage, worker: str, *, most: int, model_server_missing: bool = False
    ) -> list[Claim]:
        """The same, and with a live chunk others that wait, `most` in all; empty when there is nothing to do."""
        return self.claims.claim_together(task_id, stage, worker, most=most, model_server_missing=model_server_missing)

    def claim_chunks(self, stage: Stage, worker: str, *, most: int, model_server_missing: bool = False) -> list[Claim]:
        """Live chunks that wait and were never tried."""
        return self.claims.claim_chunks(stage, worker, most=most, model_server_missing=model_server_missing)

    def claim_next_part(self, task_id: str, worker: str) -> Claim | None:
        """A part of this recording that waits and was never tried; None while a live chunk waits."""
        return self.claims.claim_next_part(task_id, worker)

    def publish(self, claim: Claim, snapshot: Snapshot) -> None:
        """Say where the job stands; may be lost."""
        self.progress.publish(claim.task_id, claim.job_attempt, snapshot)

    def is_cancelled(self, task_id: str) -> bool:
        """Whether nobody wants this job any more; cheap, and may say no where it is yes."""
        return self.progress.is_cancelled(task_id)

    def finished_parts(self, task_id: str, *, from_s: float = 0.0) -> list[TranscriptPart]:
        """Each part that is done and does not begin before `from_s`."""
        return self.records.finished_parts(task_id, from_s=from_s)

    def reroute(self, claim: Claim, kind: JobKind) -> None:
        """The sound turned out to belong into the other queue."""
        self._checkpoints.reroute(claim, kind)
        self.wake(WakeUp(claim.task_id, Stage.TRANSCRIBE, kind, claim.attempt))

    def store_parts(
        self,
        claim: Claim,
        *,
        audio_key: str,
        audio_s: float,
        spans: list[TimeSpan],
        warnings: tuple[Warn, ...],
    ) -> None:
        """The recording is decoded: its samples replace the upload, and its parts can be worked on."""
        try:
            wake_ups = self._checkpoints.store_parts(
                claim, audio_key=audio_key, audio_s=audio_s, spans=spans, warnings=warnings
            )
        except StaleAttempt:
            self._delete_audio(audio_key)
            raise
        self._delete_audio(claim.audio_key)
        for wake_up in wake_ups:
            self.wake(wake_up)

    def store_part(self, claim: Claim, transcript: Transcript) -> None:
        """One part is heard; with the last one the recording is."""
        merged = self._checkpoints.store_part(claim, transcript, merge_transcripts)
        self._count_sound(transcript, claim.end_s - claim.start_s)
        if merged is not None:
            self._transcribed(claim)
        elif self.settings.write_ahead:
            self._wake_ahead(claim.task_id)

    def transcribed_so_far(self, task_id: str) -> tuple[JobRequest, Transcript] | None:
        """Of a recording in parts: what was asked, and the transcript up to the first part that is missing."""
        record = self.records.get(task_id)
        if record is None or record.state is not JobState.TRANSCRIBING:
            return None
        return record.request, merge_transcripts(up_to_a_gap(self.records.finished_parts(task_id)))

    def notes(self, task_id: str) -> JobNotes:
        """Where notes on this job's transcript are kept."""
        return JobNotes(self.database, task_id)

    def store_transcript(
        self, claim: Claim, transcript: Transcript, *, audio_s: float, warnings: tuple[Warn, ...]
    ) -> None:
        """The sound is heard: keep the words, drop the sound, ask for the summary."""
        self._checkpoints.store_transcript(claim, transcript, audio_s=audio_s, warnings=warnings)
        self._count_sound(transcript, audio_s)
        self._transcribed(claim)

    def finish(self, claim: Claim, result: JobResult) -> None:
        """The job is done."""
        self._checkpoints.finish(claim, result)
        self.metrics.count(metrics.ENDED, "done", "")
        self.progress.forget(claim.task_id)

    def fail(self, task_id: str, error: JobFailed, claim: Claim) -> None:
        """The job failed. Raises StaleAttempt when the claim no longer holds."""
        self._failed(task_id, error, self._checkpoints.fail(task_id, error, claim))

    def fail_expired(self, expired: ExpiredLease, error: JobFailed) -> bool:
        """The job failed with a lease that ran out; False where somebody has dealt with that."""
        return self._failed(expired.wake_up.task_id, error, self._checkpoints.fail_expired(expired, error))

    def fail_waiting(self, task_id: str, error: JobFailed) -> bool:
        """The job failed because nobody took it for WAIT_LIMIT_S; False where that is not so any more."""
        limit_s = self.settings.wait_limit_s
        return self._failed(task_id, error, self._checkpoints.fail_waiting(task_id, error, limit_s))

    def _failed(self, task_id: str, error: JobFailed, ended: Ended | None) -> bool:
        if ended is None:
            return False
        self.metrics.count(metrics.ENDED, "error", error.code)
        self._delete_audio(ended.audio_key)
        self.progress.forget(task_id)
        return True

    def give_back(self, claim: Claim, *, after_s: float = 0.0) -> None:
        """Somebody else should do it; no try is counted."""
        if self.leases.release(claim, after_s=after_s) and after_s == 0:
            self.wake(WakeUp(claim.task_id, claim.stage, claim.kind, claim.attempt))

    def give_back_all(self, worker: str) -> int:
        """Let go of all that a stopping worker holds; returns how much that was."""
        wake_ups = self.leases.release_all(worker)
        for wake_up in wake_ups:
            self.wake(wake_up)
        return len(wake_ups)

    def _count_sound(self, transcript: Transcript, audio_s: float) -> None:
        self.metrics.count(metrics.AUDIO, by=audio_s)
        for reason, words in transcript.left_out.items():
            self.metrics.count(metrics.WORDS_FILTERED, reason, by=words)

    def _transcribed(self, claim: Claim) -> None:
        self._delete_audio(claim.audio_key)
        self.wake(WakeUp(claim.task_id, Stage.SUMMARIZE, claim.kind, claim.job_attempt))

    def wake(self, wake_up: WakeUp) -> None:
        """The row is written already, so a queue that is away is no failure: the keeper sends again."""
        try:
            self.queue.send(wake_up)
        except QueueUnavailable:
            logger.warning("wake-up not sent; the keeper will")

    def _wake_ahead(self, task_id: str) -> None:
        try:
            self.queue.send_ahead(task_id)
        except QueueUnavailable:
            logger.warning("notes are not written ahead; the summary takes longer")

    def _delete_audio(self, key: str | None) -> None:
        if key is None:
            return
        try:
            self.audio.delete(key)
        except OSError as error:
            logger.warning("audio not deleted; the keeper will: %s", error)
