"""Serves clients' requests about jobs: accept one, read its status, cancel it, resummarize it."""

import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from streametrics.auth.principal import LOCAL, LOCAL_OWNER, Principal, Scope, may_see
from streametrics.database.idempotency import IdempotentCall
from streametrics.database.jobs import JobRecord, Place
from streametrics.domain.job import JobKind, JobRequest, JobState, Stage, SummaryLength, TaskMessage
from streametrics.domain.status import NOT_HEARD, JobStatus
from streametrics.domain.transcript import Transcript, merge_transcripts, up_to_a_gap
from streametrics.errors import (
    JobCancelled,
    JobExpired,
    JobNotReady,
    JobUnknown,
    QueueUnavailable,
    StoredDataDamaged,
)
from streametrics.jobs import joining
from streametrics.jobs.connections import Connections
from streametrics.jobs.status_view import status_of, transcript_in_result
from streametrics.observability import metrics
from streametrics.streams.streamer_keys import streamer_key

#: For how long an equal request is the same job, in seconds: clients repeat a call that was cut off.
EQUAL_FOR_S = 3600.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TranscriptSoFar:
    """A job's words. transcript: with their times; None while a chunk is in work, of which only the text is known."""

    record: JobRecord
    text: str
    transcript: Transcript | None
    is_complete: bool


class JobService:
    """Accepts, reads, resummarizes and cancels jobs for clients. Thread-safe."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        #: For how long a finished job is kept, in seconds; see `Settings.keep_s`.
        self.keep_s = connections.settings.keep_s

    def accept(
        self,
        request: JobRequest,
        *,
        kind: JobKind,
        audio_key: str,
        container: str,
        owner: str = LOCAL_OWNER,
        request_hash: str | None = None,
        is_kept: bool = False,
        joins_stream: bool = False,
        call: IdempotentCall | None = None,
    ) -> str:
        """Create a job of stored audio: the row first, then its task message; returns the task's id.

        request_hash: by which `find_equal` finds it. joins_stream: whether it joins its streamer's stream, if its sound
        turns out to be a chunk; while that one is paused, it is done at once and nobody listens to it. call: to be
        remembered, see `once`. Raises QueueUnavailable or DatabaseUnavailable, and then nothing is left of it, the
        audio included.
        """
        task_id = str(uuid.uuid4())
        remembers = joins_stream and self._connections.settings.stream_memory
        try:
            self._connections.queue.require()
            if joins_stream and kind is JobKind.LIVE and self._is_paused(owner, request.streamer):
                self._connections.records.insert_done(
                    task_id,
                    request,
                    NOT_HEARD,
                    owner=owner,
                    kind=kind,
                    is_kept=is_kept,
                    call=call,
                    joins_stream=remembers,
                )
                return self._ended_at_once(task_id, kind, audio_key)
            self._connections.records.insert(
                task_id,
                request,
                owner=owner,
                kind=kind,
                audio_key=audio_key,
                container=container,
                request_hash=request_hash,
                is_kept=is_kept,
                call=call,
                joins_stream=remembers,
            )
        except BaseException:
            self._connections.delete_audio(audio_key)
            raise
        try:
            self._send(TaskMessage(task_id, Stage.TRANSCRIBE, kind, 0), is_promised=call is not None)
        except BaseException:
            self._connections.delete_audio(audio_key)
            self._connections.records.delete(task_id)
            raise
        self._connections.metrics.count(metrics.ACCEPTED, kind)
        return task_id

    def _is_paused(self, owner: str, streamer: str) -> bool:
        return self._connections.streamers.is_paused(owner, streamer_key(streamer))

    def _ended_at_once(self, task_id: str, kind: JobKind, audio_key: str) -> str:
        """Deal with what is left of a job that was done as it was accepted; returns its id."""
        self._connections.delete_audio(audio_key)
        self._connections.metrics.count(metrics.ACCEPTED, kind)
        self._connections.metrics.count(metrics.ENDED, "done", "")
        joining.chunk_ended()
        return task_id

    def _send(self, message: TaskMessage, *, is_promised: bool) -> None:
        """Send a new job's message. Raises QueueUnavailable, unless the job is promised.

        is_promised: an equal call may have been told of the job already, so it stays, and maintenance sends its message
        as soon as the queue answers.
        """
        try:
            self._connections.queue.send(message)
        except QueueUnavailable:
            if not is_promised:
                raise
            logger.warning("event=message_left_to_maintenance stage=%s", message.stage)

    def once(
        self,
        call: IdempotentCall | None,
        make: Callable[[], str],
        *,
        audio_key: str | None = None,
        tries_again: bool = False,
    ) -> tuple[str, bool]:
        """Carry out a call that may be a repetition; see `IdempotentCalls.once`.

        audio_key: of stored audio that `make` takes care of once it is called; deleted where it is not. tries_again:
        whether a call whose job has failed, or is erased, is a new one: where the answer is the result, that was none.
        """
        is_made = False

        def make_it() -> str:
            nonlocal is_made
            is_made = True
            return make()

        try:
            counts = self._has_result if tries_again else lambda _: True
            return self._connections.idempotent_calls.once(call, make_it, counts=counts)
        finally:
            if not is_made:
                self._connections.delete_audio(audio_key)

    def is_made(self, owner: str, route: str, key: str, *, tries_again: bool = False) -> bool:
        """Tell whether a call with this key was carried out, and `once` would not make anything for it.

        Of what was sent it knows nothing yet: another request with the key is refused once it is read.
        """
        made = self._connections.idempotent_calls.made_with(owner, route, key)
        return made is not None and (not tries_again or self._has_result(made))

    def _has_result(self, task_id: str) -> bool:
        """Tell whether a job has a result, or will have one."""
        try:
            return self._record(task_id, LOCAL).state is not JobState.FAILED
        except (JobUnknown, JobExpired):
            return False

    def remember(self, call: IdempotentCall, task_id: str) -> str:
        """Write down that a call has found this job, for `once`; returns the job's id."""
        self._connections.idempotent_calls.remember(call, task_id)
        return task_id

    def find_equal(self, request_hash: str, owner: str) -> str | None:
        """Find the owner's job of an equal request of the last hour, unless it failed or its result has expired."""
        return self._connections.records.find_equal(
            request_hash, owner, max_age_s=EQUAL_FOR_S, ttl_s=self.keep_s(False)
        )

    def discard(self, audio_key: str) -> None:
        """Delete stored audio of which no job is made."""
        self._connections.delete_audio(audio_key)

    def status(self, task_id: str, principal: Principal = LOCAL) -> JobStatus:
        """Read a job's status. Raises JobUnknown, JobExpired."""
        return self.row_and_status(task_id, principal)[1]

    def row_and_status(
        self, task_id: str, principal: Principal = LOCAL, *, queue_answers: bool = True
    ) -> tuple[JobRecord, JobStatus]:
        """Read a job's row and its status. Raises JobUnknown, JobExpired.

        queue_answers: False where Redis is known not to answer, as asking it costs a second.
        """
        record = self._record(task_id, principal)
        waiting = record.state is JobState.QUEUED
        if waiting or record.state.is_final:
            return record, status_of(record, None)
        status = status_of(record, self._connections.progress.snapshot(task_id) if queue_answers else None)
        if record.kind is JobKind.LONG:
            status = replace(status, notes=tuple(self._connections.notes(task_id).timed()))
        return record, status

    def page(
        self, principal: Principal, *, states: Mapping[JobState, str], before: Place | None, limit: int
    ) -> list[JobRecord]:
        """Read the principal's jobs, the newest first, without transcripts and results; see `JobRecords.page`."""
        owner = None if principal.scope is Scope.ADMIN else principal.owner
        return self._connections.records.page(
            owner=owner, states=states, before=before, limit=limit, keep_s=self.keep_s
        )

    def whole_transcript(self, task_id: str, principal: Principal) -> tuple[JobRecord, Transcript | None]:
        """Read a job's row and its transcript; None until that is whole. Raises JobUnknown, JobExpired."""
        record = self._record(task_id, principal)
        return record, self._whole_transcript(record)

    def transcript(self, task_id: str, principal: Principal = LOCAL) -> TranscriptSoFar:
        """Read a job's transcript, from its first words on. Raises JobUnknown, JobExpired, JobNotReady."""
        record = self._record(task_id, principal)
        transcript = self._whole_transcript(record)
        if transcript is not None:
            return TranscriptSoFar(record, transcript.text, transcript, is_complete=True)
        if record.state is JobState.FAILED:
            raise JobNotReady(f"This job has no transcript: {record.error}")
        if record.kind is JobKind.LONG:
            parts = list(up_to_a_gap(self._connections.records.finished_parts(task_id)))
            if parts:
                transcript = merge_transcripts(parts)
                return TranscriptSoFar(record, transcript.text, transcript, is_complete=False)
        snapshot = self._connections.progress.snapshot(task_id)
        if snapshot is None or not snapshot.transcription:
            raise JobNotReady("This job has no words yet: ask again in a moment.")
        return TranscriptSoFar(record, snapshot.transcription, None, is_complete=False)

    def resummarize(
        self,
        task_id: str,
        *,
        language: str | None,
        model: str | None,
        extra_instruction: str,
        length: SummaryLength | None = None,
        principal: Principal = LOCAL,
        call: IdempotentCall | None = None,
    ) -> str:
        """Summarize a job's transcript again, as a job of its own; returns its id.

        Raises JobUnknown, JobExpired, JobNotReady, QueueUnavailable; nothing is left of the new job then.
        """
        self._connections.queue.require()
        record = self._record(task_id, principal)
        transcript = self._whole_transcript(record) if record.state.is_final else None
        if transcript is None and record.state.is_final:
            raise JobNotReady(f"This job has no transcript to be summarized: {record.error}")
        if transcript is None:
            raise JobNotReady
        request = replace(
            record.request,
            language=language or record.request.language,
            parent_task_id=task_id,
            summary_model=model,
            extra_instruction=extra_instruction,
            wants_summary=True,
            summary_length=length or record.request.summary_length,
        )
        new_task_id = str(uuid.uuid4())
        # What was wrong with the sound stays; what was wrong with the first summary does not.
        warnings = tuple(
            warning
            for warning in record.warnings
            if warning.code.startswith("audio_") or warning.code == "words_filtered"
        )
        self._connections.records.insert_resummarize(
            new_task_id,
            request,
            owner=record.owner,
            transcript=transcript,
            warnings=warnings,
            is_kept=record.is_kept,
            call=call,
        )
        try:
            self._send(TaskMessage(new_task_id, Stage.SUMMARIZE, JobKind.LONG, 0), is_promised=call is not None)
        except BaseException:
            self._connections.records.delete(new_task_id)
            raise
        self._connections.metrics.count(metrics.ACCEPTED, "redo")
        return new_task_id

    def cancel(self, task_id: str, principal: Principal = LOCAL) -> None:
        """Stop an unfinished job, which then ends as cancelled; erase a finished one, which is expired from then on.

        Harmless on a job that is cancelled or erased already. Raises JobUnknown.
        """
        if not may_see(principal, self._find(task_id).owner):
            raise JobUnknown
        erased = self._connections.erasure.erase(task_id)
        if erased.was_stopped:
            self._connections.progress.cancel(task_id)
            self._connections.delete_audio(erased.audio_key)
            self._connections.metrics.count(metrics.ENDED, "error", JobCancelled.code)
            logger.info("event=cancelled")
        elif erased.was_erased:
            self._connections.metrics.count(metrics.ERASED)
            logger.info("event=erased")

    def _whole_transcript(self, record: JobRecord) -> Transcript | None:
        """Read a job's transcript, wherever it is; None while there is none. Raises JobNotReady."""
        if record.state is not JobState.DONE:
            return record.transcript
        try:
            stored = self._connections.records.transcript(record.task_id)
        except StoredDataDamaged:
            stored = None
        # The version before left the result alone.
        return stored or transcript_in_result(record)

    def _record(self, task_id: str, principal: Principal) -> JobRecord:
        record = self._find(task_id)
        if not may_see(principal, record.owner):
            raise JobUnknown
        # Retention may be a moment late; the promise is the age.
        if record.erased or (record.age_s is not None and record.age_s > self.keep_s(record.is_kept)):
            raise JobExpired
        return record

    def _find(self, task_id: str) -> JobRecord:
        """Read a job's row. Raises JobUnknown."""
        # A null character is no id's, and PostgreSQL refuses it.
        record = None if "\x00" in task_id else self._connections.records.get(task_id)
        if record is None:
            raise JobUnknown
        return record
