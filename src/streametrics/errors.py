"""Every error of this service. The class's docstring is the sentence that a user reads.

StreametricsError
├── InvalidRequest            422  a field is missing, too long or unknown
│   ├── EmptyAudio            422
│   └── IdempotencyKeyReused  422
├── UnsupportedAudio          415  first bytes of no audio or video container
├── UploadTooLarge            413
├── RequestTimeout            408  the client sends too slowly
├── HeadTooLarge              431
├── JobUnknown                404
├── JobExpired                410
├── JobNotReady               409
├── StreamUnknown             404
├── StreamErased              410
├── StreamEnded               409
├── StreamTooShort            409
├── TooManyMarkers            409
├── MarkerErased              410
├── StreamStartUnknown        409  the time that was asked for is none that was sent
├── Unauthorized              401
├── Forbidden                 403
│   └── ScopeTooSmall         403  the key may not do this
├── TooBusy                   429  too much is waiting or coming in
├── QueueUnavailable          503
├── DatabaseUnavailable       503
│   └── DatabaseDamaged       503  waiting does not help
├── StorageUnavailable        503  the folder of uploads is gone
├── StorageFull               503
├── JobFailed                 (the end of a job, not of a request)
│   ├── AudioUnreadable
│   │   └── AudioStalled       (of a chunk: it is decoded as a recording, where nobody waits for it)
│   ├── TrackMissing, AudioTooLong, TimedOut, WorkerLost, JobCancelled, NoRoomForAudio, StoredDataDamaged
│   ├── TranscriptionFailed, InternalError
│   └── SummarizerError       what a model server can do wrong
│       ├── SummarizerUnavailable, SummarizerTimeout, SummarizerBusy   (may pass: tried again)
│       ├── ModelServerResting                                         (not asked: it failed too often)
│       └── ModelMissing, TranscriptTooLong, SummarizerRefused, SummaryUnusable   (will not pass)
├── StaleAttempt              (inside: a worker that lost its lease tried to write)
├── Interrupted               (inside: the worker is being stopped)
├── WeightsUnavailable, WeightsCorrupt
├── KeyNameTaken, TooManyKeys 409
├── KeyUnknown                404
└── UnsafeSettings            refuses the start
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldFault:
    """What is wrong with one field or parameter. path: its name, after the names of what it lies in."""

    path: tuple[str, ...]
    detail: str


class StreametricsError(Exception):
    """Something went wrong in StreaMetrics."""

    code = "internal_error"
    status = 500
    headers: dict[str, str] = {}  # noqa: RUF012 - replaced as a whole by subclasses, never changed
    #: Its sentence says all that a log needs, without where it was raised.
    explains_itself = True
    #: Of a request that is refused: what is wrong with each of its fields, where that can be told.
    faults: tuple[FieldFault, ...] = ()

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class InvalidRequest(StreametricsError):
    """A field of the request is missing or not valid."""

    code, status = "invalid_request", 422

    def __init__(self, message: str | None = None, *, field: str | None = None) -> None:
        super().__init__(message)
        if field is not None:
            self.faults = (FieldFault((field,), str(self)),)

    def tell_of(self, faults: tuple[FieldFault, ...]) -> None:
        """Make its sentence one of all these faults."""
        self.faults = faults
        self.args = (" ".join(fault.detail for fault in faults),)


class EmptyAudio(InvalidRequest):
    """The audio file is empty: nothing was recorded, or the upload sent no bytes."""

    code = "audio_empty"


class IdempotencyKeyReused(InvalidRequest):
    """This Idempotency-Key came with another request: take a new one for each request that repeats no other."""

    code = "idempotency_key_reused"


class UnsupportedAudio(StreametricsError):
    """This is not a sound or video file that can be read: send WAV, MP3, M4A, OGG, Opus, FLAC, WebM or MP4."""

    code, status = "audio_unsupported", 415


class UploadTooLarge(StreametricsError):
    """The audio is larger than the limit."""

    code, status = "audio_too_large", 413


class RequestTimeout(StreametricsError):
    """The request came in too slowly, so its connection was closed: send it again over a better one."""

    code, status = "request_timeout", 408


class HeadTooLarge(StreametricsError):
    """The request's head is larger than the limit of 64 KiB."""

    code, status = "head_too_large", 431


class JobUnknown(StreametricsError):
    """No job has this id: check it, or send the audio again."""

    code, status = "job_unknown", 404


class JobExpired(StreametricsError):
    """This job's result was erased, because it expired or was deleted: send the audio again."""

    code, status = "job_expired", 410


class JobNotReady(StreametricsError):
    """This job has no transcript yet: wait until it is done."""

    code, status = "job_not_ready", 409


class StreamUnknown(StreametricsError):
    """No stream has this id: check it, or list the streams."""

    code, status = "stream_unknown", 404


class StreamErased(StreametricsError):
    """This stream was erased, because it expired or was deleted."""

    code, status = "stream_erased", 410


class StreamEnded(StreametricsError):
    """This stream has ended: only one that is live can be paused."""

    code, status = "stream_ended", 409


class StreamTooShort(StreametricsError):
    """This stream is not that long yet: what is still to be said is not forgotten, but it can be paused."""

    code, status = "stream_too_short", 409


class TooManyMarkers(StreametricsError):
    """This stream has 1,000 markers, and no more can be added."""

    code, status = "too_many_markers", 409


class MarkerErased(StreametricsError):
    """The marker that a call with this Idempotency-Key made was erased: send the request with a new key."""

    code, status = "marker_erased", 410


class StreamStartUnknown(StreametricsError):
    """When the broadcast began is not known: send 'time' as HH:MM:SS since then, or ask with 'offset=upload'."""

    code, status = "stream_start_unknown", 409


class StreamContested(StreametricsError):
    """This stream is written to all the time just now: send it again."""

    code, status = "stream_contested", 503
    headers = {"Retry-After": "1"}  # noqa: RUF012


class ChapterUnknown(StreametricsError):
    """This stream has no closed chapter of this id: list its chapters."""

    code, status = "chapter_unknown", 404


class TooFewChapters(StreametricsError):
    """YouTube shows chapters from three on, of at least ten seconds each: this stream has not so many yet."""

    code, status = "too_few_chapters", 409


class Unauthorized(StreametricsError):
    """This service wants its key: send it as 'X-API-Key: <key>' or 'Authorization: Bearer <key>'."""

    code, status = "unauthorized", 401
    headers = {"WWW-Authenticate": "Bearer"}  # noqa: RUF012


class Forbidden(StreametricsError):
    """This page or address may not use the service."""

    code, status = "forbidden", 403


class ScopeTooSmall(Forbidden):
    """This key may not do that."""


class KeyNameTaken(StreametricsError):
    """There is a key of this name already."""

    code, status = "key_name_taken", 409


class KeyUnknown(StreametricsError):
    """There is no such key: GET /v1/keys lists the keys and their ids."""

    code, status = "key_unknown", 404


class TooManyKeys(StreametricsError):
    """There are as many keys for this one as it may make: revoke one first."""

    code, status = "too_many_keys", 409


class TooBusy(StreametricsError):
    """The service has more to do than it can: try again in a few seconds."""

    code, status = "too_busy", 429
    headers = {"Retry-After": "10"}  # noqa: RUF012


class QueueUnavailable(StreametricsError):
    """The job queue does not answer, so nothing was accepted: try again in a few seconds."""

    code, status = "queue_unavailable", 503
    headers = {"Retry-After": "5"}  # noqa: RUF012


class DatabaseUnavailable(StreametricsError):
    """The service's database does not answer: try again in a few seconds."""

    code, status = "database_unavailable", 503
    headers = {"Retry-After": "5"}  # noqa: RUF012


class DatabaseDamaged(DatabaseUnavailable):
    """The service's database is damaged, or another file lies in its place: put a backup there, and start again."""

    code = "database_damaged"
    headers = {"Retry-After": "60"}  # noqa: RUF012


class StorageUnavailable(StreametricsError):
    """The folder of uploads is gone or cannot be written to, so nothing was accepted: mend DATA_DIR, start again."""

    code, status = "storage_unavailable", 503
    headers = {"Retry-After": "60"}  # noqa: RUF012


class StorageFull(StreametricsError):
    """The disk is full, so the audio could not be stored: free some space in DATA_DIR."""

    code, status = "storage_full", 503
    headers = {"Retry-After": "60"}  # noqa: RUF012


class JobFailed(StreametricsError):
    """The job could not be finished."""

    code = "job_failed"


class AudioMissing(StreametricsError):
    """The stored audio is not there."""

    code = "audio_missing"


class AudioUnreadable(JobFailed):
    """No sound could be read from this file: it may be damaged, or hold no audio track."""

    code = "audio_unreadable"


class AudioStalled(AudioUnreadable):
    """No sound came out of this file for too long: it may be damaged, or hold no audio track."""


class TrackMissing(JobFailed):
    """The file has no sound track of this number."""

    code = "track_missing"


class AudioTooLong(JobFailed):
    """The recording is longer than the limit."""

    code = "audio_too_long"


class TimedOut(JobFailed):
    """The job took longer than its time limit and was stopped."""

    code = "timed_out"


class WorkerLost(JobFailed):
    """The worker died three times while it was on this job; the audio may be what kills it."""

    code = "worker_lost"


class JobCancelled(JobFailed):
    """The job was cancelled, and what was known of it is deleted."""

    code = "cancelled"


class NoRoomForAudio(JobFailed):
    """The disk has no room for the decoded sound (MIN_FREE_DISK_MB): free some space in DATA_DIR, send it again."""

    code = "storage_full"


class StoredDataDamaged(JobFailed):
    """What is stored of this job is damaged, so it cannot be finished: send the audio again."""

    code = "stored_data_damaged"


class TranscriptionFailed(JobFailed):
    """Whisper could not transcribe this audio."""

    code = "transcription_failed"


class InternalError(JobFailed):
    """Something unexpected went wrong inside the service; its log says more under this job's id."""

    code = "internal_error"


class SummarizerError(JobFailed):
    """The summary could not be written."""

    code = "summary_failed"


class SummarizerUnavailable(SummarizerError):
    """The model server does not answer: start it with 'ollama serve'."""

    code = "model_server_unavailable"


class SummarizerTimeout(SummarizerError):
    """The model server did not finish in time."""

    code = "model_server_timeout"


class SummarizerBusy(SummarizerError):
    """The model server is busy or failed for the moment."""

    code = "model_server_busy"


class ModelServerResting(SummarizerError):
    """The model server failed several times in a row and is left alone for a while."""

    code = "model_server_resting"


class ModelMissing(SummarizerError):
    """The model server does not have this model."""

    code = "model_missing"


class TranscriptTooLong(SummarizerError):
    """The transcript does not fit into the model's context."""

    code = "transcript_too_long"


class SummarizerRefused(SummarizerError):
    """The model server refused the request."""

    code = "model_server_refused"


class SummaryUnusable(SummarizerError):
    """The model's answer cannot be used as a summary."""

    code = "summary_unusable"


_MODEL_FAILURES: tuple[type[SummarizerError], ...] = (SummarizerError, *SummarizerError.__subclasses__())
MODEL_FAILURE_CODES = frozenset(error.code for error in _MODEL_FAILURES)


class StaleAttempt(StreametricsError):
    """Another attempt has taken over this job, so this one's writes are refused."""

    code = "stale_attempt"


class Interrupted(StreametricsError):
    """The worker is being stopped; the job goes back to the queue."""

    code = "interrupted"


class WeightsUnavailable(StreametricsError):
    """The Whisper weights could not be fetched."""

    code = "weights_unavailable"


class WeightsCorrupt(StreametricsError):
    """A file of the Whisper weights does not have the expected SHA-256."""

    code = "weights_corrupt"


class UnsafeSettings(StreametricsError):
    """The settings are not safe to start with."""

    code = "unsafe_settings"


class UsageError(StreametricsError):
    """A command cannot be carried out as it was given."""

    code = "usage"
