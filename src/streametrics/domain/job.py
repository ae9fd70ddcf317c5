"""Value types of a job: its request, its states, its claims and messages. No I/O."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Self, TypedDict

from streametrics.domain.transcript import SpeechTask, Transcript

#: The bands of `progress`, per cent.
TRANSCRIBING_END = 49
TRANSCRIBED_AT = 50
SUMMARIZING_FROM = 60
SUMMARIZING_END = 99

#: The sound track that is asked for where none is: the one that holds a voice.
AUTO_TRACK = "auto"


class JobState(StrEnum):
    """Where a job stands; each value is written to the database."""

    QUEUED = "queued"  #: accepted, nobody works on it
    TRANSCRIBING = "transcribing"  #: claimed, or waiting for its parts
    TRANSCRIBED = "transcribed"  #: the transcript is stored and is never made again
    SUMMARIZING = "summarizing"  #: claimed by a summary's writer
    DONE = "done"  #: never changes again, until it is erased
    FAILED = "failed"  #: never changes again, until it is erased

    @property
    def is_final(self) -> bool:
        return self in (JobState.DONE, JobState.FAILED)


class JobKind(StrEnum):
    """Which queue a job's audio waits in."""

    LIVE = "live"  #: a chunk that somebody waits for
    LONG = "long"  #: a recording, worked on in parts


class QueueName(StrEnum):
    """The queues in which work waits for a worker."""

    LIVE = "live"
    LONG = "long"
    SUMMARIZE = "summarise"


#: Two or three sentences, or an overview with key moments.
SummaryLength = Literal["short", "long"]


class WarnJson(TypedDict):
    """A warning as the database and the status JSON have it."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Warn:
    """A warning for the reader of a result; `code` is for programs, `message` for people."""

    code: str
    message: str

    def to_json(self) -> WarnJson:
        return {"code": self.code, "message": self.message}

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read a stored warning. Raises ValueError."""
        match value:
            case {"code": str() as code, "message": str() as message}:
                return cls(code, message)
        raise ValueError("a stored warning has no 'code' and 'message'")


@dataclass(frozen=True, slots=True)
class JobRequest:
    """The fields of an upload, checked. `time` and `streamer` come back unchanged.

    language: the summary's; empty for the one that is spoken.
    """

    streamer: str
    language: str
    game: str
    time: str
    title: str
    speech_language: str | None = None
    #: Of a summary that is made anew: the job it comes from, another model, words added to the instruction.
    parent_task_id: str | None = None
    summary_model: str | None = None
    extra_instruction: str = ""
    #: The sound track: `auto`, `mix`, or its number from 1.
    track: str = AUTO_TRACK
    #: Whether a summary is made; else the job is done with its transcript.
    wants_summary: bool = True
    #: None for what suits the length of the recording.
    summary_length: SummaryLength | None = None
    speech_task: SpeechTask = "transcribe"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The last reported progress of a running job; kept in Redis only, and refined by the row.

    progress: per cent, 0…99. eta_s: estimated seconds until the end, None while unknown.
    """

    state: JobState
    progress: int = 0
    transcription: str | None = None
    partial_summary: str | None = None
    eta_s: float | None = None


class Stage(StrEnum):
    """The stage that a claim is for; it decides the time limit and the queue of the task message."""

    TRANSCRIBE = "transcribe"
    SUMMARIZE = "summarize"


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a job, or on one part of it, until the lease or the deadline is out.

    Every write carries `attempt`; one that is no longer the row's is refused. Times are in seconds of
    audio; `time_left_s` counts from the moment of the claim to its deadline.
    """

    task_id: str
    stage: Stage
    #: The row's fencing token; `job_attempt` is the job's own where the claim is for a part.
    attempt: int
    job_attempt: int
    worker: str
    request: JobRequest
    kind: JobKind
    time_left_s: float
    #: Seconds from the last byte of the upload to the claim.
    waited_s: float = 0.0
    audio_key: str | None = None
    container: str | None = None
    audio_s: float | None = None
    part_index: int | None = None
    start_s: float = 0.0
    end_s: float = 0.0
    transcript: Transcript | None = None
    warnings: tuple[Warn, ...] = ()
    #: Whether an earlier attempt at this stage ended in nothing.
    tried: bool = False

    @property
    def may_share_batch(self) -> bool:
        """Tell whether this may share a batch with others: a chunk, or a part of a recording, at its first attempt.

        A retry runs alone: if it killed its process, it must not end others with it again.
        """
        return not self.tried and (self.kind is JobKind.LIVE or self.part_index is not None)


@dataclass(frozen=True, slots=True)
class TaskMessage:
    """A message to be sent: some worker should claim this job. `number` makes Celery's id unique."""

    task_id: str
    stage: Stage
    kind: JobKind
    number: int
