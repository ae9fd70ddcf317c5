"""Derives the status that clients see from a job's row."""

from dataclasses import replace

from streametrics.database.jobs import JobRecord
from streametrics.domain.job import (
    SUMMARIZING_END,
    SUMMARIZING_FROM,
    TRANSCRIBED_AT,
    TRANSCRIBING_END,
    JobState,
    Snapshot,
)
from streametrics.domain.status import JobStatus, transcript_in
from streametrics.domain.transcript import Transcript
from streametrics.errors import JobNotReady

#: What a poller sees after Redis has lost its memory.
_PROGRESS_BY_CHECKPOINT = {JobState.TRANSCRIBED: TRANSCRIBED_AT, JobState.SUMMARIZING: SUMMARIZING_FROM}

#: What a snapshot may say in each state, per cent; it comes from Redis, where anything may stand.
_PROGRESS_BANDS = {
    JobState.TRANSCRIBING: (0, TRANSCRIBING_END),
    JobState.TRANSCRIBED: (TRANSCRIBED_AT, SUMMARIZING_FROM - 1),
    JobState.SUMMARIZING: (SUMMARIZING_FROM, SUMMARIZING_END),
}


def status_of(record: JobRecord, snapshot: Snapshot | None) -> JobStatus:
    """Make the status: the row decides the state, a snapshot of the same state adds the rest."""
    transcription = record.transcript.text if record.transcript is not None else None
    status = JobStatus(
        state=record.state,
        progress=_PROGRESS_BY_CHECKPOINT.get(record.state, 0),
        transcription=transcription,
        warnings=record.warnings,
        result=record.result,
        error=record.error,
        error_code=record.error_code,
        model_server_missing=record.model_server_missing,
    )
    if snapshot is None or snapshot.state is not record.state or record.state not in _PROGRESS_BANDS:
        return status
    least, most = _PROGRESS_BANDS[record.state]
    is_transcribing = record.state is JobState.TRANSCRIBING and transcription is None
    return replace(
        status,
        progress=min(max(snapshot.progress, least), most),
        transcription=snapshot.transcription if is_transcribing else transcription,
        partial_summary=snapshot.partial_summary if record.state is JobState.SUMMARIZING else None,
        eta_s=snapshot.eta_s,
    )


def transcript_in_result(record: JobRecord) -> Transcript | None:
    """Read the transcript in a job's result, which has no times of words. Raises JobNotReady."""
    if record.result is None:
        return None
    try:
        return transcript_in(record.result)
    except (KeyError, TypeError, ValueError) as error:
        raise JobNotReady("This job's stored transcript is damaged: send the audio again.") from error
