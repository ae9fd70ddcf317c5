"""Takes jobs through their work, for workers: claims, progress, checkpoints, and the end."""

import logging

from streametrics.database.checkpoints import EndedJob
from streametrics.database.leases import ExpiredLease
from streametrics.database.notes import JobNotes
from streametrics.domain.job import Claim, JobKind, JobRequest, JobState, Snapshot, Stage, TaskMessage, Warn
from streametrics.domain.status import JobResult
from streametrics.domain.transcript import TimeSpan, Transcript, TranscriptPart, merge_transcripts, up_to_a_gap
from streametrics.errors import (
    JobFailed,
    QueueUnavailable,
    StaleAttempt,
)
from streametrics.jobs import joining
from streametrics.jobs.connections import Connections
from streametrics.observability import metrics

logger = logging.getLogger(__name__)


class JobLifecycle:
    """Changes jobs for workers and for maintenance, in database, Redis and queue. Thread-safe."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self.audio = connections.audio
        self.metrics = connections.metrics
        #: A claim that is not renewed within this is taken for a dead worker's, in seconds.
        self.lease_s = connections.settings.lease_s
        self._foreign = {
            Stage.TRANSCRIBE: connections.foreign_check(needs_audio=True),
            Stage.SUMMARIZE: connections.foreign_check(needs_audio=False),
        }

    def foreign_to_api(self, stage: Stage) -> str | None:
        """Say why this process must take no job of the API's; None where it may. Asked every few seconds only."""
        return self._foreign[stage].get()

    def claim_together(
        self, task_id: str, stage: Stage, worker: str, *, most: int, model_server_missing: bool = False
    ) -> list[Claim]:
        """Claim what waits of a job, and with a live chunk others that wait, `most` in all; empty for nothing."""
        return self._connections.claims.claim_together(
            task_id, stage, worker, most=most, model_server_missing=model_server_missing
        )

    def claim_chunks(self, stage: Stage, worker: str, *, most: int, model_server_missing: bool = False) -> list[Claim]:
        """Claim live chunks that wait and were never tried."""
        return self._connections.claims.claim_chunks(
            stage, worker, most=most, model_server_missing=model_server_missing
        )

    def claim_next_part(self, task_id: str, worker: str) -> Claim | None:
        """Claim a part of this recording that waits and was never tried; None while a live chunk waits."""
        return self._connections.claims.claim_next_part(task_id, worker)

    def renew(self, claim: Claim, *, left_s: float) -> bool:
        """Renew a claim's lease; False when the claim no longer holds. Raises DatabaseUnavailable.

        left_s: to its deadline, by the worker's own clock.
        """
        return self._connections.leases.renew(claim, left_s=left_s)

    def publish(self, claim: Claim, snapshot: Snapshot) -> None:
        """Publish where the job stands; may be lost."""
        self._connections.progress.publish(claim.task_id, claim.job_attempt, snapshot)

    def is_cancelled(self, task_id: str) -> bool:
        """Tell whether this job is cancelled; cheap, and may say no where it is yes."""
        return self._connections.progress.is_cancelled(task_id)

    def finished_parts(self, task_id: str, *, from_s: float = 0.0) -> list[TranscriptPart]:
        """Read each transcribed part that does not begin before `from_s`."""
        return self._connections.records.finished_parts(task_id, from_s=from_s)

    def reroute(self, claim: Claim, kind: JobKind) -> None:
        """Move the job into the other queue, as its sound turned out to be of the other kind.

        A chunk of a streamer that has paused ends there: it had been taken for a recording.
        """
        self._connections.checkpoints.reroute(claim, kind)
        if kind is JobKind.LIVE and self._connections.streamers.end_if_paused(claim.task_id, claim.request):
            self._connections.delete_audio(claim.audio_key)
            self._ended_as_done(claim.task_id)
            return
        self.send(TaskMessage(claim.task_id, Stage.TRANSCRIBE, kind, claim.attempt))

    def store_parts(
        self,
        claim: Claim,
        *,
        audio_key: str,
        audio_s: float,
        spans: list[TimeSpan],
        warnings: tuple[Warn, ...],
    ) -> None:
        """Store the parts of a decoded recording, which can be claimed from here on; its samples replace the upload."""
        try:
            messages = self._connections.checkpoints.store_parts(
                claim, audio_key=audio_key, audio_s=audio_s, spans=spans, warnings=warnings
            )
        except StaleAttempt:
            self._connections.delete_audio(audio_key)
            raise
        self._connections.delete_audio(claim.audio_key)
        for message in messages:
            self.send(message)

    def store_part(self, claim: Claim, transcript: Transcript) -> None:
        """Store one part's transcript; with the last one the recording is transcribed."""
        merged = self._connections.checkpoints.store_part(claim, transcript, merge_transcripts)
        self._count_sound(transcript, claim.end_s - claim.start_s)
        if merged is not None:
            self._transcribed(claim)
        elif self._connections.settings.summarize_while_transcribing:
            self._send_incremental_notes(claim.task_id)

    def transcribed_so_far(self, task_id: str) -> tuple[JobRequest, Transcript] | None:
        """Read a recording's request and its transcript up to the first missing part; None where it is not in parts."""
        record = self._connections.records.get(task_id)
        if record is None or record.state is not JobState.TRANSCRIBING:
            return None
        return record.request, merge_transcripts(up_to_a_gap(self._connections.records.finished_parts(task_id)))

    def notes(self, task_id: str) -> JobNotes:
        """Open the notes on this job's transcript."""
        return self._connections.notes(task_id)

    def store_transcript(
        self, claim: Claim, transcript: Transcript, *, audio_s: float, warnings: tuple[Warn, ...]
    ) -> None:
        """Store the transcript, delete the audio, ask for the summary."""
        self._connections.checkpoints.store_transcript(claim, transcript, audio_s=audio_s, warnings=warnings)
        self._count_sound(transcript, audio_s)
        self._transcribed(claim)

    def finish(self, claim: Claim, result: JobResult) -> None:
        """End the job as done."""
        self._connections.checkpoints.finish(claim, result)
        self._ended_as_done(claim.task_id)

    def _ended_as_done(self, task_id: str) -> None:
        self.metrics.count(metrics.ENDED, "done", "")
        self._connections.progress.forget(task_id)
        joining.chunk_ended()

    def fail(self, task_id: str, error: JobFailed, claim: Claim) -> None:
        """End the job as failed. Raises StaleAttempt when the claim no longer holds."""
        self._failed(task_id, error, self._connections.checkpoints.fail(task_id, error, claim))

    def fail_expired(self, expired: ExpiredLease, error: JobFailed) -> bool:
        """End the job as failed because its lease expired; False where somebody has dealt with that."""
        return self._failed(expired.message.task_id, error, self._connections.checkpoints.fail_expired(expired, error))

    def fail_waiting(self, task_id: str, error: JobFailed) -> bool:
        """End the job as failed because nobody took it for WAIT_LIMIT_S; False where that is not so any more."""
        limit_s = self._connections.settings.wait_limit_s
        return self._failed(task_id, error, self._connections.checkpoints.fail_waiting(task_id, error, limit_s))

    def fail_without_audio(self, task_id: str, audio_key: str, error: JobFailed) -> bool:
        """End a job as failed that waits for audio which is gone; False where it does not, or not any more."""
        ended = self._connections.checkpoints.fail_without_audio(task_id, error, audio_key)
        return self._failed(task_id, error, ended)

    def _failed(self, task_id: str, error: JobFailed, ended: EndedJob | None) -> bool:
        if ended is None:
            return False
        self.metrics.count(metrics.ENDED, "error", error.code)
        self._connections.delete_audio(ended.audio_key)
        self._connections.progress.forget(task_id)
        joining.chunk_ended()
        return True

    def release(self, claim: Claim, *, after_s: float = 0.0) -> None:
        """Release a claim for another worker, without counting a try."""
        if self._connections.leases.release(claim, after_s=after_s) and after_s == 0:
            self.send(TaskMessage(claim.task_id, claim.stage, claim.kind, claim.attempt))

    def put_back(self, claim: Claim, *, after_s: float) -> bool:
        """Release a claim for another try; False where it was tried often enough."""
        most_tries = self._connections.settings.max_attempts
        if not self._connections.leases.put_back(claim, after_s=after_s, most_tries=most_tries):
            return False
        if after_s == 0:
            self.send(TaskMessage(claim.task_id, claim.stage, claim.kind, claim.attempt))
        return True

    def release_all(self, worker: str) -> int:
        """Release all claims of a stopping worker; returns how many there were."""
        messages = self._connections.leases.release_all(worker)
        for message in messages:
            self.send(message)
        return len(messages)

    def _count_sound(self, transcript: Transcript, audio_s: float) -> None:
        self.metrics.count(metrics.AUDIO, by=audio_s)
        for reason, words in transcript.left_out.items():
            self.metrics.count(metrics.WORDS_FILTERED, reason, by=words)
        for span in transcript.unheard:
            self.metrics.count(metrics.SPEECH_UNHEARD, by=span.end_s - span.start_s)

    def _transcribed(self, claim: Claim) -> None:
        self._connections.delete_audio(claim.audio_key)
        self.send(TaskMessage(claim.task_id, Stage.SUMMARIZE, claim.kind, claim.job_attempt))

    def send(self, message: TaskMessage) -> None:
        """Send a task message. The row is written already, so maintenance sends again what an absent queue lost."""
        try:
            self._connections.queue.send(message)
        except QueueUnavailable:
            logger.warning("task message not sent; maintenance will")

    def _send_incremental_notes(self, task_id: str) -> None:
        try:
            self._connections.queue.send_incremental_notes(task_id)
        except QueueUnavailable:
            logger.warning("incremental notes not asked for; the summary takes longer")
